import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { gatewayName, heading, identifier, latitude, longitude } from '../../gateway/config/fields.js'
import { configurationSchema } from '../../gateway/config/schema.js'
import { DelimitedParser } from '../../gateway/hotlist/csv.js'

/** A unit to be, one line of the list of poles. */
export interface Pole {
  /** In the file, from 1. */
  readonly line: number
  readonly id: string
  readonly site: string
  readonly position: { latitude: number; longitude: number; altitude: number; error: number }
  readonly heading: number
  /** Names of device files, which have what is wired to the pole. */
  readonly devices: readonly string[]
}

const number = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .transform(Number)
const poleSchema = z.object({
  id: gatewayName,
  site: identifier,
  latitude: number.pipe(latitude),
  longitude: number.pipe(longitude),
  altitude: number.pipe(z.number().min(-500).max(9000)),
  error: z.union([z.literal('').transform(() => 1), number.pipe(z.number().gt(0).max(1000))]),
  heading: number.pipe(heading),
  devices: z.string().transform(text => text.split(/[ ;]+/).filter(name => name !== '')),
})
const columns = Object.keys(poleSchema.shape)

/**
 * Reads a list of poles: delimited by commas, its first line the names of the columns id, site, latitude, longitude, altitude, error, heading and
 * devices (several with blanks between). No two have the same id, as brokers and claims know a unit by it. @throws Error that names every line to correct
 */
export function readPoles(text: string): Pole[] {
  const problems: string[] = []
  const poles: Pole[] = []
  let names: readonly string[] | null = null
  const parser = new DelimitedParser(',', {
    record: (fields, line) => {
      if (names === null) {
        names = fields.map(field => field.trim().toLowerCase())
        const absent = columns.filter(column => !names?.includes(column))
        if (absent.length > 0) problems.push(`line ${line}: there is no column ${absent.join(', ')}`)
        return
      }
      const record = Object.fromEntries(names.map((name, index) => [name, fields[index]?.trim() ?? '']))
      const { data, error } = poleSchema.safeParse(record)
      if (error !== undefined) {
        const what = error.issues.map(issue => `${issue.path.join('.')} is "${record[String(issue.path[0])] ?? ''}"`)
        problems.push(`line ${line}: ${what.join(', ')}`)
        return
      }
      const { latitude, longitude, altitude, error: positionError, ...rest } = data
      const twin = poles.find(({ id }) => id === rest.id)
      if (twin !== undefined) problems.push(`line ${line}: ${rest.id} stands in line ${twin.line} already`)
      poles.push({ ...rest, line, position: { latitude, longitude, altitude, error: positionError } })
    },
    broken: (line, reason) => problems.push(`line ${line}: ${reason.replaceAll('-', ' ')}`),
  })
  parser.push(text)
  parser.end()
  if (problems.length > 0) throw new Error(`The list of poles is to be corrected:\n  ${problems.join('\n  ')}`)
  return poles
}

/** The devices are the lists at the top of a configuration; a device file holds some of them. */
const deviceLists = Object.entries(configurationSchema.shape)
  .filter(([, part]) => part instanceof z.ZodDefault && part.unwrap() instanceof z.ZodArray)
  .map(([key]) => key)
const deviceFileSchema = z.partialRecord(z.enum(deviceLists), z.array(z.unknown()))

/**
 * What is wired to a pole: the device files NAME.yaml of a folder, put together, by list of the configuration. Entries are unchecked.
 * @throws Error that names the file
 */
export function wiredDevices(folder: string, names: readonly string[]): Map<string, unknown[]> {
  const together = new Map<string, unknown[]>()
  for (const name of names) {
    const file = join(folder, `${name}.yaml`)
    if (!/^[a-z0-9][a-z0-9-]*$/.test(name) || !existsSync(file)) throw new Error(`there is no device file ${file}`)
    const { data, error } = deviceFileSchema.safeParse(parse(readFileSync(file, 'utf8')))
    if (error !== undefined) throw new Error(`${file}: ${z.prettifyError(error)}`)
    for (const [list, entries = []] of Object.entries(data))
      together.set(list, [...(together.get(list) ?? []), ...entries])
  }
  return together
}
