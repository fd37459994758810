import type { Command } from 'commander'
import { parse } from 'yaml'
import { defaultConfigurationFile, loadConfiguration, readText } from '../config/load.js'
import { keyEntries } from '../config/reference.js'
import { configurationSchema } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { isJsonObject } from '../messages/json.js'
import { exitStatus, print, printJson } from './terminal.js'

export function defineDiff(command: Command): void {
  command
    .description('Shows what a configuration has other than the defaults, or than another one.')
    .argument('[FILE]', 'the configuration', defaultConfigurationFile)
    .option('--against <OTHER>', 'the other configuration, instead of the defaults')
    .option('--json', 'one JSON line a key')
    .addHelpText('after', '\nExample:\n  polewatch config diff --against firmware-config/polewatch.example.yaml')
    .action((file: string, { against, json }: { against?: string; json?: boolean }) => {
      const theirs = against === undefined ? defaults() : written(leaves(loadConfiguration(against)))
      const own = written(leaves(loadConfiguration(file)))
      for (const key of [...new Set([...theirs.keys(), ...own.keys()])].sort()) {
        const before = theirs.get(key) ?? (against === undefined ? theirs.get(generalOf(key)) : null) ?? null
        const now = own.get(key) ?? null
        if (before === now || (against === undefined && now === null)) continue
        if (json) printJson({ key, before, now })
        else print(`${key}: ${before ?? 'nothing'} -> ${now ?? 'nothing'}`)
      }
    })
}

export function defineExplain(command: Command): void {
  command
    .description('Says what a key is, what is allowed, its default, and the value in force and where it comes from.')
    .argument('<KEY>', 'such as uplink.healthSeconds')
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one JSON line for each meaning of the key')
    .addHelpText('after', '\nExample:\n  polewatch config explain uplink.healthSeconds')
    .action((key: string, { config, json }: { config: string; json?: boolean }) => {
      const general = generalOf(key)
      const entries = keyEntries(configurationSchema).filter(entry => entry.key === general)
      if (entries.length === 0) throw new PolewatchError('PW_CONFIG_NO_KEY', { key })
      const inForce = matching(leaves(loadConfiguration(config)), key)
      const stated = new Set(matching(leaves(parse(readText(config))), key).map(([where]) => where))
      const values = inForce.map(([where, value]) => ({
        key: where,
        value,
        from: stated.has(where) ? config : 'default',
      }))
      for (const entry of entries) {
        if (json) printJson({ ...entry, values })
        else {
          print(`${entry.key}${entry.where === '' ? '' : ` (${entry.where})`}: ${entry.meaning}`)
          print(`  allowed: ${entry.allowed}${entry.unit === '' ? '' : `, ${entry.unit}`}; default: ${entry.preset}`)
        }
      }
      if (!json)
        for (const { key: where, value, from } of values) print(`  ${where} is ${JSON.stringify(value)}, from ${from}`)
      if (values.length === 0) process.exitCode = exitStatus.fault
    })
}

/** `cameras[0].url` as the schema names it, `cameras[].url`. */
function generalOf(key: string): string {
  return key.replace(/\[\d+\]/g, '[]')
}

function defaults(): Map<string, string> {
  const presets = keyEntries(configurationSchema)
    .filter(({ preset }) => preset !== 'required')
    .map(({ key, preset }) => [key, preset] as const)
  return new Map(presets.map(([key, preset]) => [key, preset === 'empty' ? 'null' : preset.replaceAll('`', '')]))
}

function matching(all: readonly (readonly [string, unknown])[], key: string): (readonly [string, unknown])[] {
  return all.filter(([where]) => where === key || generalOf(where) === key)
}

function written(all: readonly (readonly [string, unknown])[]): Map<string, string> {
  return new Map(all.map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]))
}

/** Every value with its key, such as `cameras[0].url`; a list of plain values is one. */
function leaves(value: unknown, key = ''): (readonly [string, unknown])[] {
  if (isJsonObject(value))
    return Object.entries(value).flatMap(([name, inner]) => leaves(inner, key === '' ? name : `${key}.${name}`))
  if (Array.isArray(value) && value.some(isJsonObject))
    return value.flatMap((inner, index) => leaves(inner, `${key}[${index}]`))
  return [[key, value]]
}
