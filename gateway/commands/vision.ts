import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { readPlates } from './read-plates.js'
import { Role } from './role.js'
import { tellHealth } from './role-health.js'
import { stopSignal } from './terminal.js'

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

/** Runs the role until the signal aborts. */
async function see(configuration: Configuration, signal: AbortSignal): Promise<void> {
  const role = new Role('vision', configuration)
  try {
    const policy = loadPolicy(configuration.policyFile)
    await Promise.all([tellHealth(role, signal), readPlates(role, policy, signal)])
  } finally {
    role.close()
  }
}
