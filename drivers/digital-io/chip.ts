import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/**
 * Finds a GPIO chip by its label, which stays the same where the number of `gpiochip0` depends on what else is plugged in: the
 * tools of libgpiod 2 know chips by number, name and path only, and `gpiodetect` tells their labels. What is no label of a chip
 * is given back as it is.
 */
export async function chipNamed(chip: string, program = 'gpiodetect'): Promise<string> {
  if (/^(\/|\d+$|gpiochip\d+$)/.test(chip)) return chip
  const { stdout } = await execute(program).catch(() => ({ stdout: '' }))
  for (const line of stdout.split('\n')) {
    const [, name, label] = /^(\S+) \[(.*)\] \(\d+ lines\)$/.exec(line) ?? []
    if (name !== undefined && label === chip) return name
  }
  return chip
}
