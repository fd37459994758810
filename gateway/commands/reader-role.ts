import type { PlateReaderSettings } from '../config/schema.js'

/** The role that runs a reader: what comes over the local network is for the role that has one. */
export function roleOfReader({ driver }: PlateReaderSettings): 'sensing' | 'vision' {
  return driver === 'tcp' || driver === 'tcp-server' ? 'vision' : 'sensing'
}
