import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import type { WorkingRole } from '../console/condition.js'
import { type Area, type Finding, inspect } from '../console/inspect.js'
import { geometryOf } from './devices.js'
import { ConditionReader } from './gateway-condition.js'
import { needsVision } from './reader-role.js'
import { lookAround } from './surroundings.js'
import { bold, colour, exitStatus, print, printJson } from './terminal.js'

interface CheckOptions {
  readonly config: string
  readonly json?: boolean
}

export function define(command: Command): void {
  command
    .description(
      'Says of every configured part whether it works now, what is wrong with it and what to do. It asks the running gateway.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'one line of JSON for each part, and one for the whole')
    .addHelpText(
      'after',
      '\nExamples:\n  polewatch check\n\nExit status 0 when everything works, 1 when something does not or cannot be told.',
    )
    .action(run)
}

async function run({ config, json }: CheckOptions): Promise<void> {
  const configuration = loadConfiguration(config, deviceNames(devicesFolder))
  const reader = new ConditionReader(configuration)
  try {
    const findings = await look(configuration, reader)
    tell(configuration.gateway.id, findings, json === true)
    if (findings.some(({ state }) => state !== 'works')) process.exitCode = exitStatus.fault
  } finally {
    reader.close()
  }
}

/** How every part of the gateway fares now. */
export async function look(configuration: Configuration, reader: ConditionReader): Promise<Finding[]> {
  const channels = new Map<string, number>()
  for (const { name, geometry } of configuration.microphoneArrays)
    channels.set(name, (await geometryOf(geometry)).microphones.length)
  return inspect({
    configuration,
    roleOf: roleOfDriver,
    needsVision: needsVision(configuration),
    channels,
    condition: reader.read(),
    surroundings: lookAround(configuration),
  })
}

function roleOfDriver(driver: string): WorkingRole {
  if (driver === 'gpsd') return 'uplink'
  return driver === 'tcp' || driver === 'tcp-server' ? 'vision' : 'sensing'
}

function tell(gateway: string, findings: readonly Finding[], json: boolean): void {
  const faults = findings.filter(({ state }) => state === 'fault').length
  const unknown = findings.filter(({ state }) => state === 'unknown').length
  if (json) {
    for (const finding of findings) printJson(finding)
    printJson({ gateway, works: faults + unknown === 0, parts: findings.length, faults, unknown })
    return
  }
  let area: Area | null = null
  for (const finding of findings) {
    if (finding.area !== area) print(bold(finding.area))
    area = finding.area
    tellFinding(finding)
  }
  if (findings.every(({ area: of, state }) => of !== 'gateway' || state === 'fault'))
    print(bold('The gateway does not run: nothing is known of its parts.'))
  print(
    faults + unknown === 0
      ? `${bold(gateway)}: everything works.`
      : `${bold(gateway)}: of ${findings.length} parts ${faults} do not work, and of ${unknown} it cannot be told.`,
  )
}

const marks = {
  works: colour('green', 'works  '),
  fault: colour('red', 'FAULT  '),
  unknown: colour('yellow', 'unknown'),
}

function tellFinding({ part, state, fault, code, detail, advice }: Finding): void {
  print(`  ${marks[state]} ${part}: ${fault === null ? '' : `${fault}. `}${detail}`)
  if (advice !== null) print(`          ${advice}${code === null ? '' : ` (${code})`}`)
}
