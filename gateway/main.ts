#!/usr/bin/env node
import { CommanderError } from 'commander'
import { printError } from './commands/terminal.js'
import { commandLine } from './program.js'

// Whoever reads no further, as `head` does, has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

const called = process.argv[2]
const program = await commandLine(name => name === called)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    // A role that failed must end, whatever still runs in it, so that it is started again.
    process.exit(printError(error, process.argv.includes('--json')))
  }
}
