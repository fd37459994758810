import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { verifyChain } from '../../gateway/journal/audit.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey, privateKeyPem, type SigningKey } from '../../gateway/messages/keys.js'
import { openEvent, verifyEvent } from '../../gateway/messages/seal.js'
import { randomFrom } from './crash-plan.js'
import { compileDiskLog, type DiskRecord, RecordedDisk, readDiskLog, recordedBy } from './disk-log.js'
import { gunfireDraft } from './drafts.js'
import { Sensing } from './gateway.js'

export interface PowerCutResult {
  readonly cuts: number
  readonly seed: number
  /** Alerts that were confirmed before some cut and not deleted; each counts at every cut that follows. */
  readonly confirmed: number
  /** Of those, missing or altered after the cut. */
  readonly lost: number
  /** Cuts after which the journal was set aside or could not be opened. */
  readonly unopened: number
  /** Cuts after which the audit chain did not verify. */
  readonly brokenChains: number
  /** Cuts after which the next alert was given a number that had been confirmed for another. */
  readonly givenTwice: number
  readonly writes: number
  readonly syncs: number
}

const cutsPerLife = 10
// Enough that the write-ahead log is moved into the database at least once.
const alertsPerLife = 600

/**
 * Lets a writer write, cuts its power at ten arbitrary moments, looks at what each leaves, and goes on from one of them.
 * A disk that is not honest, for comparison, ignores every sync. @throws Error without a compiler
 */
export async function cutPower(cuts: number, seed: number, honest = true): Promise<PowerCutResult> {
  const root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'polewatch-power-'))
  const random = randomFrom(seed)
  const key = createSigningKey()
  const total = { confirmed: 0, lost: 0, unopened: 0, brokenChains: 0, givenTwice: 0, writes: 0, syncs: 0 }
  try {
    const library = compileDiskLog(root)
    const folder = join(root, 'disk')
    let start = join(root, 'start')
    mkdirSync(start)
    let known = new Confirmed()
    for (let done = 0; done < cuts; ) {
      const records = await live(root, start, folder, { library, key, seed: seed + done })
      total.writes += records.filter(({ kind }) => kind === 'written').length
      total.syncs += records.filter(({ kind }) => kind === 'synced').length
      const moments = Array.from({ length: Math.min(cutsPerLife, cuts - done) }, () =>
        Math.floor(random() * (records.length + 1)),
      ).sort((left, right) => left - right)
      const disk = new RecordedDisk(folder, start, honest)
      const toldInode = records.find(
        ({ kind, bytes }) => kind !== 'written' && String(bytes) === join(folder, 'told'),
      )?.inode
      const survivor = Math.floor(random() * moments.length)
      let next = { start, known }
      let at = 0
      const before = known.copy()
      for (const [index, moment] of moments.entries()) {
        for (; at < moment; at += 1) {
          const record = records[at]
          if (record === undefined) break
          disk.apply(record)
          if (record.kind === 'written' && record.inode === toldInode) before.hear(record)
        }
        const left = join(root, `cut-${done}`)
        mkdirSync(left)
        disk.cut(left, random)
        rmSync(join(left, 'told'), { force: true })
        const found = await examine(left, before, key)
        total.confirmed += before.count
        total.lost += found.lost
        total.unopened += found.opened ? 0 : 1
        total.brokenChains += found.chain ? 0 : 1
        total.givenTwice += found.givenTwice ? 1 : 0
        if (index === survivor) next = { start: left, known: found.confirmed }
        else rmSync(left, { recursive: true })
        done += 1
      }
      if (next.start !== start) rmSync(start, { recursive: true })
      start = next.start
      known = next.known
    }
    return { cuts, seed, ...total }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

/** One life of the writer in `folder`, which begins with what is in `start`. */
async function live(
  root: string,
  start: string,
  folder: string,
  { library, key, seed }: { library: string; key: SigningKey; seed: number },
): Promise<DiskRecord[]> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const name of readdirSync(start)) copyFileSync(join(start, name), join(folder, name))
  const log = join(root, 'log')
  rmSync(log, { force: true })
  const file = fileURLToPath(new URL('./power-cut-writer.js', import.meta.url))
  const settings = JSON.stringify({ folder, key: privateKeyPem(key), alerts: alertsPerLife, seed })
  const child = spawn(process.execPath, [file, settings], {
    env: recordedBy(library, folder, log),
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  const status = await new Promise(resolve => child.once('close', resolve))
  if (status !== 0) throw new Error(`the writer ended with status ${String(status)}`)
  return readDiskLog(log)
}

/** What the writer was told: which alerts are safe, and how far they may be deleted. */
class Confirmed {
  readonly #safe = new Map<string, Set<number>>()
  readonly #acknowledged = new Map<string, number>()

  get count(): number {
    return [...this.#safe.values()].reduce((sum, { size }) => sum + size, 0)
  }

  copy(): Confirmed {
    const copy = new Confirmed()
    for (const [source, sequences] of this.#safe) copy.#safe.set(source, new Set(sequences))
    for (const [source, sequence] of this.#acknowledged) copy.#acknowledged.set(source, sequence)
    return copy
  }

  hear({ bytes }: DiskRecord): void {
    for (const line of bytes.toString().split('\n')) {
      const [word = '', source = '', sequence = ''] = line.split(' ')
      if (word === 'acknowledged') {
        this.#acknowledged.set(source, Number(sequence))
        for (const each of this.#safe.get(source) ?? [])
          if (each <= Number(sequence)) this.#safe.get(source)?.delete(each)
      } else if (word.includes('#')) this.add(word)
    }
  }

  add(place: string): void {
    const [source = '', sequence = ''] = place.split('#')
    const sequences = this.#safe.get(source) ?? new Set()
    this.#safe.set(source, sequences.add(Number(sequence)))
  }

  has(place: string): boolean {
    const [source = '', sequence = ''] = place.split('#')
    const number = Number(sequence)
    return number <= (this.#acknowledged.get(source) ?? 0) || this.#safe.get(source)?.has(number) === true
  }

  sequences(): [string, ReadonlySet<number>][] {
    return [...this.#safe]
  }
}

/** Whether an alert is what was written; what a disk without syncs leaves may be anything. */
function isWhole({ bytes, sequence }: { bytes: Uint8Array; sequence: number }, key: SigningKey): boolean {
  try {
    const event = openEvent(bytes)
    return event.sequence === BigInt(sequence) && verifyEvent(event, () => key.publicKey) === 'valid'
  } catch {
    return false
  }
}

/** Opens what a cut has left as the gateway does after its start, and appends one more alert. */
async function examine(folder: string, confirmed: Confirmed, key: SigningKey) {
  const sensing = new Sensing({ gateway: 'pole-1', folder, sensingKey: key })
  const { journal } = sensing
  const opened = journal.condition.setAside === null && journal.condition.fault === null
  const path = join(folder, 'sensing.journal.db')
  const reader = new JournalReader(path)
  let lost = 0
  for (const [source, sequences] of confirmed.sequences()) {
    const held = new Set(
      reader
        .read(source, journal.epoch ?? '', 0, 1e9)
        .filter(alert => isWhole(alert, key))
        .map(({ sequence }) => sequence),
    )
    for (const sequence of sequences) if (!held.has(sequence)) lost += 1
  }
  reader.close()
  const after = confirmed.copy()
  const place = await sensing.append(gunfireDraft('after-the-cut'))
  const givenTwice = after.has(place)
  after.add(place)
  journal.close()
  const { valid } = verifyChain(path)
  return { opened, lost, givenTwice, chain: valid, confirmed: after }
}
