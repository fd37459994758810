import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Runs a command of the shell and gives what it printed. @throws Error with what it said when it fails */
export async function must(command: string): Promise<string> {
  const { stdout } = await execute('sh', ['-c', command])
  return stdout
}
