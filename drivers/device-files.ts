import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type ArrayGeometry, arrayGeometrySchema } from './microphone-array/geometry.js'
import { type PlateReaderLayout, plateReaderLayoutSchema } from './plate-reader/layout.js'
import { type SensorBoardMap, sensorBoardMapSchema } from './sensor-board/pin-map.js'

/** The device files that come with the program. */
export const devicesFolder = fileURLToPath(new URL('../../firmware-config/devices', import.meta.url))

/** A device file that is not there or not as it should be; the message names the file and every mistake. */
export class DeviceFileError extends Error {
  readonly path: string

  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`)
    this.name = 'DeviceFileError'
    this.path = path
  }
}

/** @param name of a file that comes with the program, such as `respeaker-4`, or a path that ends in `.json` @throws DeviceFileError */
export function loadArrayGeometry(name: string, folder = devicesFolder): Promise<ArrayGeometry> {
  return load(name, join(folder, 'microphone-arrays'), arrayGeometrySchema)
}

/** @param name of a file that comes with the program, such as `auto-intellect`, or a path that ends in `.json` @throws DeviceFileError */
export function loadPlateReaderLayout(name: string, folder = devicesFolder): Promise<PlateReaderLayout> {
  return load(name, join(folder, 'plate-readers'), plateReaderLayoutSchema)
}

/** @param name of a file that comes with the program, such as `uno-weather`, or a path that ends in `.json` @throws DeviceFileError */
export function loadSensorBoardMap(name: string, folder = devicesFolder): Promise<SensorBoardMap> {
  return load(name, join(folder, 'sensor-boards'), sensorBoardMapSchema)
}

async function load<Schema extends z.ZodType>(name: string, folder: string, schema: Schema): Promise<z.infer<Schema>> {
  const path = name.endsWith('.json') ? name : join(folder, `${name}.json`)
  if (!name.endsWith('.json') && !/^[a-z0-9][a-z0-9-]*$/.test(name)) throw new DeviceFileError(name, 'not a name')
  let content: unknown
  try {
    content = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new DeviceFileError(path, error instanceof Error ? error.message : String(error))
  }
  const parsed = schema.safeParse(content)
  if (!parsed.success) throw new DeviceFileError(path, z.prettifyError(parsed.error))
  return parsed.data
}
