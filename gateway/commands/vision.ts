import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { keepGoing } from '../health/keep-going.js'
import { evidenceStore, purgeEvidence } from './evidence-files.js'
import { answerEvidenceRequests } from './evidence-requests.js'
import { followRequests } from './follow-requests.js'
import { followAuditRetention } from './forget-audit.js'
import { readPlates } from './read-plates.js'
import { Role } from './role.js'
import { tellHealth } from './role-health.js'
import { restartable, stopSignal } from './terminal.js'

export function define(command: Command): void {
  command
    .description(
      'Reads plates from cameras and from readers on the local network. Only `polewatch uplink` talks to the hub.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--json', 'accepted for uniformity: the log on standard error is NDJSON anyway')
    .action(async ({ config }: { config: string }) => {
      await see(loadConfiguration(config, deviceNames(devicesFolder)), stopSignal())
    })
}

/** Runs the role until the signal aborts, or the hub has it begin anew. */
async function see(configuration: Configuration, signal: AbortSignal): Promise<void> {
  const role = new Role('vision', configuration)
  const { until, restart } = restartable(signal)
  try {
    const policy = loadPolicy(configuration.policyFile)
    const evidence = evidenceStore(configuration, policy.policy, 'vision')
    const beside = (name: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> =>
      keepGoing(role, { name, required: false, run }, until)
    await Promise.all([
      keepGoing(role, { name: 'health', required: true, run: signal => tellHealth(role, signal) }, until),
      readPlates(role, policy, until),
      beside('evidence purge', signal => purgeEvidence(role, evidence, signal)),
      beside('audit retention', signal => followAuditRetention(role, signal)),
      beside('evidence requests', signal => answerEvidenceRequests(role, evidence, policy.policy, signal)),
      beside('requests', signal => followRequests(role, restart, signal)),
    ])
  } finally {
    role.close()
  }
}
