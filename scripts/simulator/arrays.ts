import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { LocalPosition } from '../../gateway/acoustics/arrival.js'

/** What of a device file in firmware-config/devices/microphone-arrays the simulator uses. */
const deviceFile = z.object({
  name: z.string(),
  microphones: z.array(z.object({ right: z.number(), forward: z.number(), up: z.number() })).min(1),
})

/** A named geometry, metres from the array's middle at heading 0. */
export interface NamedGeometry {
  readonly name: string
  readonly geometry: readonly LocalPosition[]
}

/**
 * Reads the geometry `name` from `folder` (`firmware-config/devices/microphone-arrays` of the project).
 * @throws Error where the file is absent or not a geometry
 */
export function readGeometry(name: string, folder: string): NamedGeometry {
  const parsed = deviceFile.parse(JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')))
  return {
    name,
    geometry: parsed.microphones.map(({ right, forward, up }) => ({ east: right, north: forward, up })),
  }
}
