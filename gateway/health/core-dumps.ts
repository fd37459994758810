import { writeFileSync } from 'node:fs'

/**
 * Keeps what this process and its children have in memory (plates, sound, keys) out of any core dump, by core(5): the kernel
 * then writes registers and no mapping, to a file or to a program that collects dumps. Under systemd LimitCORE=0 forbids
 * the dump as a whole; this holds wherever a role runs. Returns whether it took effect; only Linux has it.
 */
export function keepMemoryOutOfCores(): boolean {
  try {
    writeFileSync('/proc/self/coredump_filter', '0')
    return true
  } catch {
    return false
  }
}
