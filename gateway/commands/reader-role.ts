import type { Configuration, PlateReaderSettings } from '../config/schema.js'

/** The role that runs a reader: what comes over the local network is for the role that has one. */
export function roleOfReader({ driver }: PlateReaderSettings): 'sensing' | 'vision' {
  return driver === 'tcp' || driver === 'tcp-server' ? 'vision' : 'sensing'
}

/** Whether there is anything for the vision role to do. */
export function needsVision({ plateReaders, cameras }: Configuration): boolean {
  return cameras.length > 0 || plateReaders.some(settings => roleOfReader(settings) === 'vision')
}
