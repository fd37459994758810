import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Test, test } from 'tap'
import { verifyChain } from '../../gateway/journal/audit.js'
import type { Journal } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { compileDiskLog, recordedBy } from '../../scripts/delivery/disk-log.js'
import { LoopDisk } from '../../scripts/delivery/loop-disk.js'
import { draft, folder, openJournal } from './drafts.js'

const root = folder()
const writer = fileURLToPath(new URL('./endless-writer.js', import.meta.url))
const skip = spawnSync('gcc', ['--version']).error === undefined ? false : 'gcc is missing'
const source = '/harbour/pole-17/sensing/gunfire'

/** Appends one after the other until one is refused; the numbers that were confirmed, and the code of the refusal. */
async function appendUntilRefused(journal: Journal, most: number) {
  const confirmed: number[] = []
  for (let count = 0; count < most; count += 1) {
    const outcome = await journal.append(draft('gunfire')).catch((error: { code: string }) => error.code)
    if (typeof outcome === 'string') return { confirmed, refusal: outcome }
    confirmed.push(outcome.sequence)
  }
  return { confirmed, refusal: null }
}

/** Everything confirmed is there, without a gap, and the chain holds. */
function expectAll(t: Test, path: string, confirmed: readonly number[]): void {
  const reader = new JournalReader(path)
  const epoch = reader.streams()[0]?.epoch ?? ''
  const held = reader.read(source, epoch, 0, 100_000).map(({ sequence }) => sequence)
  reader.close()
  t.same(
    held,
    Array.from(held, (_, index) => index + 1),
  )
  t.same(
    confirmed.filter(sequence => !held.includes(sequence)),
    [],
    'nothing that was confirmed is missing',
  )
  t.match(verifyChain(path), { valid: true })
}

test('a file system that turns read-only in the middle of a run refuses by name, and what was confirmed is there after its repair', async t => {
  let disk: LoopDisk
  try {
    disk = new LoopDisk(root, 64, 1024, 'errors=remount-ro')
  } catch {
    t.pass('a disk of its own', { skip: 'loop devices need root' })
    return
  }
  t.teardown(() => disk.remove())
  const path = join(disk.folder, 'sensing.journal.db')
  const journal = openJournal(path)
  t.teardown(() => journal.close())
  const before = await appendUntilRefused(journal, 50)
  t.equal(before.refusal, null)
  disk.fail()
  const after = await appendUntilRefused(journal, 50)
  t.match(after.refusal, /^PW_JOURNAL_(READ_ONLY|DISK_FAILED)$/)
  t.equal(journal.condition.fault?.code, after.refusal, 'which the health message names')
  journal.close()
  disk.repair()
  const again = openJournal(path)
  t.equal(again.condition.setAside, null)
  const since = await appendUntilRefused(again, 50)
  t.equal(since.refusal, null)
  again.close()
  expectAll(t, path, [...before.confirmed, ...after.confirmed, ...since.confirmed])
})

test('a disk that fails for a while refuses by name, and the journal goes on by itself when it is back', {
  skip,
}, async t => {
  const library = compileDiskLog(root)
  const state = join(root, 'state')
  const failing = join(root, 'failing')
  const path = join(state, 'sensing.journal.db')
  mkdirSync(state)
  const child = spawn(process.execPath, [writer, path, '60000000'], {
    env: { ...recordedBy(library, state, '/dev/null'), DISK_FAIL_WHILE: failing },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const lines: string[] = []
  const refusals = () => lines.filter(line => line.startsWith('refused'))
  let failures = 0
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line)
    const confirmedSince = lines.length - 1 - lines.findLastIndex(line => line.startsWith('refused'))
    if (existsSync(failing)) {
      if (refusals().length > 5 * failures) rmSync(failing)
    } else if (confirmedSince > 50) {
      if (failures === 3) child.kill('SIGKILL')
      else {
        failures += 1
        writeFileSync(failing, '')
      }
    }
  }
  t.same(new Set(refusals()), new Set(['refused PW_JOURNAL_DISK_FAILED']))
  const confirmed = lines.filter(line => line.endsWith(source)).map(line => Number.parseInt(line, 10))
  expectAll(t, path, confirmed)
  t.same(
    readdirSync(state).filter(name => name.includes('.damaged')),
    [],
  )
})
