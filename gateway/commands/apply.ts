import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { defaultConfigurationFile, loadConfiguration } from '../config/load.js'
import { ExchangeReader } from '../journal/exchange.js'
import { applyStored, type Machine } from './apply-change.js'
import { systemTime } from './role.js'
import { print, printJson } from './terminal.js'

const roles = ['sensing', 'vision', 'uplink'] as const

export function define(command: Command): void {
  command
    .description(
      'Carries out the signed changes of configuration and policy that uplink has stored, and takes back what does worse. polewatch-apply.service calls it.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--limit <SECONDS>', 'time that the roles have to do as well as before', Number, 120)
    .option('--json', 'one JSON line for each request')
    .addHelpText('after', '\nExample:\n  polewatch apply')
    .action(async ({ config, limit, json }: { config: string; limit: number; json?: boolean }) => {
      for (const outcome of await applyStored({ file: config, machine: systemdMachine(config), limit, lasting: 10 }))
        if (json) printJson(outcome)
        else print(`${outcome.request}: ${outcome.outcome}. ${outcome.detail}`)
    })
}

function systemdMachine(file: string): Machine {
  return {
    reach: step => systemctl('start', `polewatch-addresses@${step}.service`) !== null,
    restart: () => {
      systemctl('reset-failed', 'polewatch-*')
      systemctl('restart', 'polewatch.target')
    },
    ranks: () => new Map(roles.map(role => [role, rank(role)])),
    restarts: () =>
      systemctl('show', '-p', 'NRestarts', '--value', ...roles.map(role => `polewatch-${role}.service`)) ?? '',
    online: () => online(file),
    sleep: async seconds => {
      await pause(seconds * 1000)
    },
    now: systemTime,
  }
}

function rank(role: string): number {
  const unit = `polewatch-${role}.service`
  if (systemctl('show', '-p', 'ActiveState', '--value', unit)?.trim() !== 'active') return 0
  return systemctl('show', '-p', 'StatusText', '--value', unit)?.startsWith('All parts work.') ? 2 : 1
}

/** What it prints; null where it fails. A unit that does not start is seen by its rank. */
function systemctl(...words: string[]): string | null {
  try {
    return execFileSync('systemctl', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } catch {
    return null
  }
}

/** Uplink's exchange begins empty at each start, so an old session is never taken for a new one. */
function online(file: string): boolean {
  const exchange = new ExchangeReader(join(loadConfiguration(file).paths.runtime, 'uplink.exchange.db'))
  try {
    return exchange.get('online')?.body.toString('utf8') === 'true'
  } catch {
    return false
  } finally {
    exchange.close()
  }
}
