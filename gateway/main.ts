#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { printError } from './commands/terminal.js'

/** What a command's module offers: it adds its arguments and its action to the command it is given. */
export interface CommandModule {
  define(command: Command): void
}

/** The subcommands. A module is loaded only when its command is called, which keeps every start fast. */
const subcommands: Readonly<Record<string, { summary: string; load: () => Promise<CommandModule> }>> = {
  run: {
    summary: 'run a whole gateway: sensing and uplink, started again when they fail',
    load: () => import('./commands/run.js'),
  },
  sensing: {
    summary: 'the process that hears and reads plates; has no network',
    load: () => import('./commands/sensing.js'),
  },
  vision: {
    summary: 'the process that reads plates over the local network',
    load: () => import('./commands/vision.js'),
  },
  uplink: {
    summary: 'the process that talks to the hub and to neighbours; has no devices',
    load: () => import('./commands/uplink.js'),
  },
  replay: {
    summary: 'run the hearing over recordings of one or more gateways',
    load: () => import('./commands/replay.js'),
  },
  watch: {
    summary: 'be a hub: subscribe, verify, order and print every alert',
    load: () => import('./commands/watch.js'),
  },
  command: {
    summary: 'ask a gateway to do something, or tell it what a person thinks of an alert',
    load: () => import('./commands/command.js'),
  },
  plates: {
    summary: 'read the plates in pictures; listen to a plate reader, or find its layout',
    load: () => import('./commands/plates.js'),
  },
  hotlist: { summary: 'import a hotlist, or look a plate up in it', load: () => import('./commands/hotlist.js') },
  config: { summary: 'check or print a configuration', load: () => import('./commands/config.js') },
}

const program = new Command('polewatch')
  .description('Edge sensor gateway: hears gunfire, reads plates, and delivers every alert to a hub.')
  .showHelpAfterError('(run with --help for the arguments)')
  .exitOverride()

const called = process.argv[2]
for (const [name, { summary, load }] of Object.entries(subcommands)) {
  const command = program.command(name).description(summary)
  if (name === called) (await load()).define(command)
}
for (const command of program.commands) for (const each of [command, ...command.commands]) each.exitOverride()

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    // A role that failed must end, whatever still runs in it, so that it is started again.
    process.exit(printError(error, process.argv.includes('--json')))
  }
}
