import { join } from 'node:path'
import type { Weather } from '../../gateway/acoustics/arrival.js'
import type { GeodeticPosition } from '../../gateway/acoustics/geodesy.js'
import type { RecordedGateway } from '../../gateway/commands/recording-set.js'
import { readRecordingSet } from '../../gateway/commands/recording-set.js'

export type DemoGateway = RecordedGateway & { readonly weather: Weather }

export const recordingFile = join(process.cwd(), 'scripts', 'demonstration', 'live-fire', 'recording.json')

/** The gateways of the demo's recording and the surveyed places of its shots. */
export function readDemo(): { gateways: DemoGateway[]; truth: GeodeticPosition[] } {
  const { gateways, weather, truth } = readRecordingSet(recordingFile)
  return { gateways: gateways.map(gateway => ({ ...gateway, weather })), truth: truth.map(({ position }) => position) }
}
