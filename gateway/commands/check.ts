import { type Command, Option } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import type { Configuration } from '../config/schema.js'
import type { GatewayCondition } from '../console/condition.js'
import { type Area, type Finding, inspect } from '../console/inspect.js'
import { PolewatchError } from '../errors.js'
import { geometryOf } from './devices.js'
import { ConditionReader } from './gateway-condition.js'
import { alertTest, clapTest, readTest } from './guided-tests.js'
import { needsVision, roleOfReader } from './reader-role.js'
import { lookAround } from './surroundings.js'
import { bold, colour, exitStatus, print, printJson } from './terminal.js'
import { roleOfReceiver } from './watch-position.js'

interface CheckOptions {
  readonly config: string
  readonly clap?: boolean
  readonly read?: boolean
  readonly alert?: boolean
  readonly timeout: number
  readonly json?: boolean
}

export function define(command: Command): void {
  command
    .description(
      'Says of every configured part whether it works now, what is wrong with it and what to do. It asks the running gateway.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .addOption(
      new Option('--clap', 'wait for claps, and show which microphones hear them').conflicts(['read', 'alert']),
    )
    .addOption(new Option('--read', 'wait until every reader and camera has read a plate').conflicts('alert'))
    .option('--alert', 'make an alert that is marked as an exercise, and wait until the hub has it')
    .option('--timeout <SECONDS>', 'how long those wait', Number, 60)
    .option('--json', 'one line of JSON for each part, and one for the whole')
    .addHelpText(
      'after',
      '\nExamples:\n  polewatch check\n  polewatch check --clap\n\nExit status 0 when everything works, 1 when something does not or cannot be told.',
    )
    .action(run)
}

async function run({ config, clap, read, alert, timeout, json = false }: CheckOptions): Promise<void> {
  if (!(timeout > 0 && timeout <= 86_400)) throw new PolewatchError('PW_USAGE', { why: '--timeout is no time' })
  const configuration = loadConfiguration(config, deviceNames(devicesFolder))
  const reader = new ConditionReader(configuration)
  try {
    const channels = await channelsOf(configuration)
    const guided = clap ? clapTest : read ? readTest : alert ? alertTest : null
    if (guided !== null) {
      await guided({ configuration, reader, channels, timeout, json })
      return
    }
    const findings = lookAt(configuration, channels, reader.read())
    tell(configuration.gateway.id, findings, json)
    if (findings.some(({ state }) => state !== 'works')) process.exitCode = exitStatus.fault
  } finally {
    reader.close()
  }
}

/** How every part of the gateway fares, by what its roles say. */
export function lookAt(
  configuration: Configuration,
  channels: ReadonlyMap<string, number>,
  condition: GatewayCondition,
): Finding[] {
  return inspect({
    configuration,
    roleOfReader,
    roleOfReceiver,
    needsVision: needsVision(configuration),
    channels,
    condition,
    surroundings: lookAround(configuration),
  })
}

/** How many microphones each array has. */
export async function channelsOf({ microphoneArrays }: Configuration): Promise<Map<string, number>> {
  const channels = new Map<string, number>()
  for (const { name, geometry } of microphoneArrays) channels.set(name, (await geometryOf(geometry)).microphones.length)
  return channels
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
