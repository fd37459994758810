import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, parse, resolve } from 'node:path'
import { PolewatchError } from '../errors.js'
import { checkText } from './check.js'
import { migrateText } from './migrate.js'
import { type Problem, problemLine } from './problem.js'
import { brokenRules, type DeviceNames } from './rules.js'
import { type Configuration, type ConfigurationFile, configurationSchema } from './schema.js'

/** Where the configuration is on a unit. */
export const defaultConfigurationFile = '/etc/polewatch/polewatch.yaml'

/** PW_CONFIG_INVALID with everything that is wrong, in the order of the file. */
export class InvalidConfiguration extends PolewatchError {
  readonly file: string
  readonly problems: readonly Problem[]

  constructor(file: string, problems: readonly Problem[]) {
    const list = problems.map(problem => `\n  ${problemLine(problem)}`).join('')
    super('PW_CONFIG_INVALID', { file, count: problems.length === 1 ? 'one fault' : `${problems.length} faults`, list })
    this.file = file
    this.problems = problems
  }
}

/**
 * Reads and checks a configuration file. With `devices`, names of geometries, layouts and pin maps are checked too.
 *
 * One of an earlier version is read as what it becomes.
 *
 * Throws PW_CONFIG_MISSING, PW_CONFIG_UNREADABLE, PW_CONFIG_NEWER, and PW_CONFIG_INVALID as an `InvalidConfiguration`.
 */
export function loadConfiguration(file: string, devices: DeviceNames | null = null): Configuration {
  return parseConfiguration(readText(file), file, devices)
}

/** As `loadConfiguration`, from text: `file` names it in errors and is what relative paths start from. */
export function parseConfiguration(text: string, file: string, devices: DeviceNames | null = null): Configuration {
  const current = migrateText(text, file).text
  const { value, problems } = checkText(configurationSchema, current, dirname(resolve(file)), raw =>
    brokenRules(raw, devices),
  )
  if (value === null) throw new InvalidConfiguration(file, problems)
  return completed(value)
}

/** Names of the geometries, layouts and pin maps in the folder `firmware-config/devices`. Throws what `readdir` throws. */
export function deviceNames(folder: string): DeviceNames {
  const names = (kind: string): string[] => readdirSync(join(folder, kind)).map(file => parse(file).name)
  return {
    microphoneArrays: names('microphone-arrays').sort(),
    plateReaders: names('plate-readers').sort(),
    sensorBoards: names('sensor-boards').sort(),
  }
}

const largestFile = 1_048_576

/** The text of a file that a person wrote. Throws PW_CONFIG_MISSING and PW_CONFIG_UNREADABLE. */
export function readText(file: string): string {
  try {
    if (statSync(file).size > largestFile) throw new RangeError(`it is larger than ${largestFile} bytes`)
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file))
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOENT' || code === 'ENOTDIR') throw new PolewatchError('PW_CONFIG_MISSING', { file }, cause)
    throw new PolewatchError('PW_CONFIG_UNREADABLE', { file, why: reason(cause, code) }, cause)
  }
}

function reason(cause: unknown, code: unknown): string {
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'it is not UTF-8 text'
  if (code === 'EISDIR') return 'it is a folder'
  if (code === 'EACCES') return 'this user may not'
  return cause instanceof RangeError ? cause.message : String(code ?? 'for an unknown reason')
}

function completed(file: ConfigurationFile): Configuration {
  const { gateway, neighbours, uplink } = file
  return {
    ...file,
    microphoneArrays: file.microphoneArrays.map(array => ({ ...array, heading: array.heading ?? gateway.heading })),
    neighbours: { ...neighbours, brokers: neighbours.brokers.length > 0 ? neighbours.brokers : uplink.brokers },
  }
}
