import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { locateShots } from '../acoustics/locate.js'
import { practiceBursts, practise } from '../acoustics/practice.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { keepGoing } from '../health/keep-going.js'
import { evidenceStore, purgeEvidence } from './evidence-files.js'
import { answerEvidenceRequests } from './evidence-requests.js'
import { followExerciseRequests } from './exercise-alert.js'
import { followRequests } from './follow-requests.js'
import { followAuditRetention } from './forget-audit.js'
import { hear } from './hear.js'
import { MeasuredAir } from './measured-air.js'
import { readPlates } from './read-plates.js'
import { Role } from './role.js'
import { tellHealth } from './role-health.js'
import { startAtOption } from './start-at.js'
import { watchSwitches } from './switches.js'
import { restartable, stopSignal } from './terminal.js'
import { watchBoards } from './watch-boards.js'
import { watchPosition } from './watch-position.js'

export function define(command: Command): void {
  command
    .description(
      'Hears gunfire and reads plates, and commits every alert to its journal. It has no network: `polewatch uplink` delivers.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--start-at <TIME>', 'when recordings begin to play (seconds since 1970 or RFC 3339)', startAtOption)
    .option('--json', 'accepted for uniformity: the log on standard error is NDJSON anyway')
    .action(async ({ config, startAt }: { config: string; startAt?: number }) => {
      const configuration = loadConfiguration(config, deviceNames(devicesFolder))
      await sense(configuration, startAt ?? null, stopSignal())
    })
}

/** Runs the role until the signal aborts, or the hub has it begin anew. */
async function sense(configuration: Configuration, startAt: number | null, signal: AbortSignal): Promise<void> {
  const role = new Role('sensing', configuration)
  const { until, restart } = restartable(signal)
  try {
    const policy = loadPolicy(configuration.policyFile)
    const evidence = evidenceStore(configuration, policy.policy, 'sensing')
    const air = new MeasuredAir(configuration.weather)
    const beside = (name: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> =>
      keepGoing(role, { name, required: false, run }, until)
    await Promise.all([
      keepGoing(role, { name: 'health', required: true, run: signal => tellHealth(role, signal) }, until),
      hear(role, policy, evidence, air, startAt, until),
      configuration.microphoneArrays.length > 0 ? getReady(until) : undefined,
      readPlates(role, policy, until),
      beside('evidence purge', signal => purgeEvidence(role, evidence, signal)),
      beside('audit retention', signal => followAuditRetention(role, signal)),
      beside('evidence requests', signal => answerEvidenceRequests(role, evidence, policy.policy, signal)),
      watchPosition(role, until),
      watchSwitches(role, until),
      watchBoards(role, air, until),
      beside('requests', signal => followRequests(role, restart, signal)),
      beside('exercise requests', signal => followExerciseRequests(role, signal)),
    ])
  } finally {
    role.close()
  }
}

/** Milliseconds; between two steps a plate read comes all the way to its hit. */
const breath = 20

/** Beside listening, so that no sound is lost, and in small steps. */
async function getReady(signal: AbortSignal): Promise<void> {
  for (let burst = 0; burst < practiceBursts && !signal.aborted; burst++) {
    practise(locateShots, burst)
    await pause(breath)
  }
}
