import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { roleEnvironment } from '../health/role-environment.js'
import { supervise } from '../health/supervisor.js'
import { needsVision } from './reader-role.js'
import { startAtOption } from './start-at.js'
import { print, printJson, stopSignal } from './terminal.js'

const main = fileURLToPath(new URL('../main.js', import.meta.url))

export function define(command: Command): void {
  command
    .description(
      'Runs a whole gateway: sensing, uplink and, where it has something to do, vision as processes of their own, started again when they fail.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--start-at <TIME>', 'when recordings begin to play (seconds since 1970 or RFC 3339)', startAtOption)
    .option('--json', 'what starts and ends as NDJSON')
    .addHelpText('after', '\nExample:\n  polewatch run --config gateway.yaml')
    .action(async ({ config, startAt, json }: { config: string; startAt?: number; json?: boolean }) => {
      const configuration = loadConfiguration(config, deviceNames(devicesFolder))
      const { gateway } = configuration
      const extra = startAt === undefined ? [] : ['--start-at', String(startAt)]
      const part = (name: string, arguments_: readonly string[]) => ({
        name,
        // A child ends by itself when this channel closes, so that none is left behind by a supervisor that was killed.
        start: () =>
          spawn(process.execPath, [main, name, '--config', config, ...arguments_], {
            stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
            env: { ...roleEnvironment[name], ...process.env },
          }),
      })
      const vision = needsVision(configuration) ? [part('vision', [])] : []
      await supervise([part('sensing', extra), ...vision, part('uplink', [])], stopSignal(), event => {
        if (json) printJson({ gateway: gateway.id, ...event })
        else if (event.event === 'started') print(`${gateway.id}: ${event.part} runs as process ${event.pid}`)
        else
          print(
            `${gateway.id}: ${event.part} ended (${event.why}) and starts again in ${event.startsAgainIn.toFixed(1)} s`,
          )
      })
    })
}
