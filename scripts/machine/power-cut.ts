import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createDisk } from './disks.js'
import type { Machine } from './machine.js'

/** A cut comes so many seconds after the first row was confirmed, evenly spread. */
const earliest = 0.2
const latest = 2

/** Where the machine finds the program that writes and the one that reads, and where it puts the disk. */
const writer = '/polewatch/project/dist/test/machine/journal-writer.js'
const mount = '/var/lib/cut'

/**
 * Cuts a machine's power in the middle of writing alerts, again and again, on one disk that is plugged in each time: an
 * ext4 file system on a qcow2 file, whose table of clusters QEMU keeps in its own memory until the machine asks for a
 * flush. What was never flushed is therefore gone after a cut, as it is with a card that has a cache of its own.
 *
 * @param begin starts the machine; every cut ends it
 */
export async function powerCuts(
  begin: () => Promise<Machine>,
  work: string,
  cuts: number,
): Promise<{ good: boolean; lines: string[] }> {
  const disk = join(work, 'card.qcow2')
  await createDisk(disk, { size: '256M' })
  let confirmed = 0
  let lost = 0
  let unconfirmed = 0
  for (let cut = 0; cut <= cuts; cut += 1) {
    const machine = await begin()
    await machine.plugDisk('card', disk)
    const device = '/dev/disk/by-id/virtio-card'
    await machine.must(
      `${cut === 0 ? `mkfs.ext4 -q ${device} && ` : ''}mkdir -p ${mount} && mount ${device} ${mount} && mkdir -p ${mount}/state`,
    )
    // What was confirmed before the cut must be there after it, and nothing but whole rows that follow on.
    const found = Number(await machine.must(`node ${writer} count ${mount}/state`))
    lost += Math.max(0, confirmed - found)
    unconfirmed += Math.max(0, found - confirmed)
    confirmed = Math.max(found, 0)
    if (cut < cuts) {
      const { promise, resolve } = withResolvers()
      let pending = ''
      const writing = machine.run(`node ${writer} write ${mount}/state`, chunk => {
        const lines = (pending + chunk).split('\n')
        pending = lines.pop() ?? ''
        for (const line of lines) {
          const sequence = Number(line)
          if (Number.isInteger(sequence)) confirmed = Math.max(confirmed, sequence)
          resolve()
        }
      })
      await Promise.race([promise, writing])
      await pause(1000 * (earliest + Math.random() * (latest - earliest)))
    }
    await machine.cut()
  }
  const good = lost === 0 && confirmed > cuts
  return {
    good,
    lines: [
      `${good ? 'ok' : 'not ok'} 1 - ${cuts} power cuts in the middle of writing lose nothing that was confirmed`,
      `# ${confirmed} alerts written, ${lost} confirmed ones lost, ${unconfirmed} found that were not yet confirmed`,
      '1..1',
    ],
  }
}

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {}
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
