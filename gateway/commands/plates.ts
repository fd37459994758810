import type { Command } from 'commander'
import { defineDetectLayout } from './plates-detect.js'
import { defineListen } from './plates-listen.js'
import { defineRead } from './plates-read.js'

/** The subcommands, each in a file of its own. */
const subcommands: Readonly<Record<string, (command: Command) => void>> = {
  read: defineRead,
  listen: defineListen,
  'detect-layout': defineDetectLayout,
}

export function define(command: Command): void {
  for (const [name, defineIt] of Object.entries(subcommands)) defineIt(command.command(name))
}
