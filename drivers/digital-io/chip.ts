import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/**
 * Finds a GPIO chip by its label, which stays the same where the number of `gpiochip0` depends on what else is plugged in: the
 * tools of libgpiod 2 know chips by number, name and path only, and `gpiodetect` tells their labels. What is no label of a chip
 * is given back as it is.
 */
export async function chipNamed(chip: string, program = 'gpiodetect'): Promise<string> {
  if (isName(chip)) return chip
  const { stdout } = await execute(program).catch(() => ({ stdout: '' }))
  for (const line of stdout.split('\n')) {
    const [, name, label] = /^(\S+) \[(.*)\] \(\d+ lines\)$/.exec(line) ?? []
    if (name !== undefined && label === chip) return name
  }
  return chip
}

/** Whether the device of a chip found by `chipNamed` is there. */
export function chipIsThere(found: string, devices = '/dev'): boolean {
  if (found.startsWith('/')) return existsSync(found)
  return existsSync(join(devices, /^\d+$/.test(found) ? `gpiochip${found}` : found))
}

/**
 * Number of the first line of a chip in the kernel's sysfs interface, by the chip's label or its device's name; null where there is none.
 * It depends on the kernel: 0 once, 512 or 571 and others now.
 */
export async function sysfsBase(chip: string, root = '/sys/class/gpio'): Promise<number | null> {
  const folders = (await readdir(root).catch(() => [])).filter(name => /^gpiochip\d+$/.test(name))
  for (const folder of folders.map(name => join(root, name))) {
    const label = (await readFile(join(folder, 'label'), 'utf8').catch(() => '')).trim()
    const named = isName(chip) && existsSync(join(folder, 'device', /^\d+$/.test(chip) ? `gpiochip${chip}` : chip))
    if (label === chip || named) return Number(await readFile(join(folder, 'base'), 'utf8'))
  }
  return null
}

function isName(chip: string): boolean {
  return /^(\/|\d+$|gpiochip\d+$)/.test(chip)
}
