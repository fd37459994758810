import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** What keeps a process's memory off the disk, as the kernel tells the process itself. */
export const memoryRules = z.object({
  /** Bytes that its control group may swap; null where there is no limit, or none can be read. */
  swapLimit: z.number().nullable(),
  /** Bytes of it that are swapped out now. */
  swapped: z.number(),
  /** Whether a core dump could hold what it has in memory. */
  dumpable: z.boolean(),
})

export type MemoryRules = Readonly<z.infer<typeof memoryRules>>

/** The rules that this process runs under. Linux only; what cannot be read counts as not kept. */
export function ownMemoryRules(): MemoryRules {
  const group = /^0::(.*)$/m.exec(read('/proc/self/cgroup'))?.[1]
  const limit = group === undefined ? '' : read(`/sys/fs/cgroup${group}/memory.swap.max`).trim()
  const swapped = Number(/^VmSwap:\s+(\d+) kB/m.exec(read('/proc/self/status'))?.[1] ?? 0) * 1024
  const hardLimit = /^Max core file size\s+\S+\s+(\S+)/m.exec(read('/proc/self/limits'))?.[1]
  const filter = read('/proc/self/coredump_filter').trim()
  return {
    swapLimit: /^\d+$/.test(limit) ? Number(limit) : null,
    swapped,
    dumpable: hardLimit !== '0' && !/^0+$/.test(filter),
  }
}

/** Whether this machine has anywhere to swap to; null where a process may not see that. */
export function machineSwaps(): boolean | null {
  const text = read('/proc/swaps')
  return text === '' ? null : text.trim().split('\n').length > 1
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
