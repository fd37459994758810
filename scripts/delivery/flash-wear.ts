/*
 * Flash wear: what a day of a gateway writes to its flash, by the counters of a block device with ext4, as fast as it goes. After
 * every minute in which something happened the file system writes out what it holds, as it would have by itself. The day
 * has 500 alerts, each committed and acknowledged alone, 50 further audit records (accesses and
 * commands), health once a minute, and one change of the policy. Evidence is apart. Then a burst, for the figure per alert.
 * Mounted as firmware-config/host/fstab does, with lazytime: without it the time of each write costs a third more. The file
 * system's blocks count: mkfs.ext4 makes them 4,096 bytes unless told otherwise, as that fstab advises.
 *   npm run flash-wear [-- --alerts 500] [--records 50] [--mount noatime,lazytime] [--block 4096] [--json]     (needs root, for the device)
 */
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { purgeEvery } from '../../gateway/commands/role.js'
import { Delivery, unwrittenLimit } from '../../gateway/journal/delivery.js'
import { Exchange } from '../../gateway/journal/exchange.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { randomFrom } from './crash-plan.js'
import { faultDraft, gunfireDraft } from './drafts.js'
import { Sensing } from './gateway.js'
import { LoopDisk } from './loop-disk.js'

const { values } = parseArgs({
  options: {
    alerts: { type: 'string', default: '500' },
    mount: { type: 'string', default: 'noatime,lazytime' },
    block: { type: 'string', default: '4096' },
    records: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
  },
})
if (process.getuid?.() !== 0) {
  process.stderr.write('The measurement needs a block device of its own, which only root can make.\n')
  process.exit(2)
}

const minutesPerDay = 1440
const burst = 1000
const limit = 20e6

const scratch = mkdtempSync(join(tmpdir(), 'polewatch-wear-'))
const memory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'polewatch-wear-'))
const disk = new LoopDisk(scratch, 256, Number(values.block), values.mount)
try {
  const result = await measure()
  if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else {
    const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2)
    process.stdout.write(
      `a day of ${result.alerts} alerts and ${result.records} further audit records: ${megabytes(result.day)} MB (at most 20; ${result.mount}, blocks of ${result.block} bytes)\n` +
        `of that an alert alone, until it is deleted: ${(result.perAlert / 1000).toFixed(1)} kB; ` +
        `an hour without any: ${(result.quietHour / 1000).toFixed(1)} kB\n` +
        `in a burst of ${burst}: ${(result.perAlertInBurst / 1000).toFixed(2)} kB an alert of ${result.alertBytes} bytes\n`,
    )
  }
  process.exitCode = result.kept ? 0 : 1
} finally {
  disk.remove()
  rmSync(scratch, { recursive: true, force: true })
  rmSync(memory, { recursive: true, force: true })
}

async function measure() {
  const { folder } = disk
  const sensing = new Sensing({ gateway: 'pole-1', folder, sensingKey: createSigningKey() })
  const { journal } = sensing
  const clock = () => Date.now() / 1000
  const progress = Delivery.open({ path: join(folder, 'uplink.delivery.db'), clock })
  const exchange = Exchange.open({ path: join(memory, 'sensing.exchange.db'), clock })
  const health = Buffer.alloc(600, 'h')
  const newest = new Map<string, number>()
  let serial = 0
  const append = async () => {
    serial += 1
    const draft = serial % 5 === 0 ? gunfireDraft(`incident-${serial}`) : faultDraft(`number ${serial}`)
    const [source = '', sequence = ''] = (await sensing.append(draft)).split('#')
    newest.set(source, Math.max(newest.get(source) ?? 0, Number(sequence)))
  }
  let unwritten = 0
  // The hub answers each alert; uplink writes that down once an hour or for 25 alerts.
  const acknowledge = (hour = false) => {
    for (const [source, sequence] of newest) progress.acknowledge(source, journal.epoch ?? '', sequence)
    unwritten += 1
    if (!hour && unwritten < unwrittenLimit) return
    progress.flush()
    unwritten = 0
  }
  const purge = () => journal.purge((source, epoch) => progress.acknowledged(source, epoch))
  const settled = () => {
    disk.settle()
    return disk.written()
  }
  await append()
  acknowledge(true)
  await purge()

  const [alerts, records] = [Number(values.alerts), Number(values.records)]
  const alertMinutes = minutesOf(alerts, 1)
  const recordMinutes = minutesOf(records, 2)
  const began = settled()
  let deletable = false
  for (let minute = 0; minute < minutesPerDay; minute += 1) {
    const [due, accesses] = [alertMinutes.get(minute) ?? 0, recordMinutes.get(minute) ?? 0]
    for (let count = 0; count < due; count += 1) {
      await append()
      acknowledge()
      disk.settle()
    }
    for (let count = 0; count < accesses; count += 1) {
      await journal.record({ action: 'access', subject: 'evidence', detail: { person: 'operator-7', purpose: 'test' } })
      disk.settle()
    }
    exchange.post('health', health)
    if (minute === 600) {
      writeFileSync(join(folder, 'policy.json.new'), 'x'.repeat(4000))
      renameSync(join(folder, 'policy.json.new'), join(folder, 'policy.json'))
    }
    deletable ||= due > 0
    if (deletable && (minute + 1) % (purgeEvery / 60) === 0) {
      acknowledge(true)
      await purge()
      disk.settle()
      deletable = false
    }
  }
  const day = settled() - began

  const beforeAlert = settled()
  const alone = 50
  for (let count = 0; count < alone; count += 1) {
    await append()
    acknowledge()
    disk.settle()
  }
  acknowledge(true)
  await purge()
  const perAlert = (settled() - beforeAlert) / alone

  const beforeQuiet = settled()
  for (let minute = 0; minute < 60; minute += 1) {
    exchange.post('health', health)
    disk.settle()
  }
  const quietHour = settled() - beforeQuiet

  const [heldBefore, beforeBurst] = [journal.held, settled()]
  await Promise.all(Array.from({ length: burst }, append))
  const alertBytes = Math.round((journal.held - heldBefore) / burst) - 256
  acknowledge(true)
  await purge()
  const perAlertInBurst = (settled() - beforeBurst) / burst
  exchange.close()
  progress.close()
  journal.close()
  return {
    mount: values.mount,
    block: Number(values.block),
    alerts,
    records,
    day,
    perAlert,
    quietHour,
    perAlertInBurst,
    alertBytes,
    limit,
    kept: day <= limit,
  }
}

/** How many of so many events fall into each minute of a day. */
function minutesOf(count: number, seed: number): Map<number, number> {
  const random = randomFrom(seed)
  const minutes = new Map<number, number>()
  for (let index = 0; index < count; index += 1) {
    const minute = Math.floor(random() * minutesPerDay)
    minutes.set(minute, (minutes.get(minute) ?? 0) + 1)
  }
  return minutes
}
