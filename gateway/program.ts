import { Command } from 'commander'

/** What a command's module offers: it adds its arguments and its action to the command it is given. */
export interface CommandModule {
  define(command: Command): void
}

/** The subcommands. A module is loaded only when its command is called, which keeps every start fast. */
const subcommands: Readonly<Record<string, { summary: string; load: () => Promise<CommandModule> }>> = {
  run: {
    summary: 'run a whole gateway: sensing, vision and uplink, started again when they fail',
    load: () => import('./commands/run.js'),
  },
  sensing: {
    summary: 'the process that hears and reads plates; has no network',
    load: () => import('./commands/sensing.js'),
  },
  vision: {
    summary: 'the process that watches cameras and reads plates over the local network',
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
  enroll: { summary: "get this unit's certificate, and a new one in time", load: () => import('./commands/enroll.js') },
  check: {
    summary: 'say of every part whether it works now, and what to do',
    load: () => import('./commands/check.js'),
  },
  console: {
    summary: "the technician's page: what works, live levels, who looked",
    load: () => import('./commands/console.js'),
  },
  apply: { summary: 'carry out stored changes from afar', load: () => import('./commands/apply.js') },
  audit: {
    summary: 'show who did what, and check that nobody has rewritten it',
    load: () => import('./commands/audit.js'),
  },
  evidence: {
    summary: 'show or fetch the evidence that this unit keeps',
    load: () => import('./commands/evidence.js'),
  },
  report: {
    summary: 'tell what this unit did in a month, in numbers for anybody',
    load: () => import('./commands/report.js'),
  },
  config: { summary: 'check, print, compare or explain a configuration', load: () => import('./commands/config.js') },
}

/**
 * The command line of polewatch. Only the commands that `defined` names get their arguments, since a module that is not loaded
 * costs no start.
 */
export async function commandLine(defined: (name: string) => boolean): Promise<Command> {
  const program = new Command('polewatch')
    .description('Edge sensor gateway: hears gunfire, reads plates, and delivers every alert to a hub.')
    .showHelpAfterError('(run with --help for the arguments)')
    .exitOverride()
  for (const [name, { summary, load }] of Object.entries(subcommands)) {
    const command = program.command(name).description(summary)
    if (defined(name)) (await load()).define(command)
  }
  for (const command of program.commands) for (const each of [command, ...command.commands]) each.exitOverride()
  return program
}
