import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { type Test, test } from 'tap'
import { verifyChain } from '../../gateway/journal/audit.js'
import { type JournalCondition, lostSubject } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { ShedCounter } from '../../gateway/journal/shed-counter.js'
import { bytesOf, draft, folder, newPaths, openJournal } from './drafts.js'

const newPath = newPaths(folder(existsSync('/dev/shm') ? '/dev/shm' : undefined))

async function filled(path: string, alerts = 60): Promise<string> {
  const journal = openJournal(path)
  for (let count = 0; count < alerts; count += 1) journal.append(draft('gunfire')).catch(() => {})
  await journal.append(draft('hit'))
  const { epoch } = journal
  journal.close()
  return epoch ?? ''
}

/** Opens a journal whose file was damaged; it must be set aside whole, and a new one must work. */
async function setAside(t: Test, path: string, epoch: string, why: RegExp): Promise<void> {
  const reader = new JournalReader(path)
  const conditions: JournalCondition[] = []
  const journal = openJournal(path, { onCondition: condition => conditions.push(condition) })
  t.match(journal.condition, { fault: null, setAside: { code: 'PW_JOURNAL_DAMAGED', message: why } })
  t.equal(conditions.length, 1, 'and is told once')
  t.not(journal.epoch, epoch, 'a new file is a new epoch')
  t.match(await journal.append(draft('gunfire')), { sequence: 1 })
  t.match(reader.streams(), [{ epoch: journal.epoch, lastSequence: 1 }], 'readers follow')
  const movedTo = String(journal.condition.setAside?.details.movedTo)
  t.match(movedTo, /\.damaged-20181219T004928Z(-\d+)?$/)
  t.ok(existsSync(movedTo) || existsSync(`${movedTo}-wal`), 'the damaged file is kept')
  reader.close()
  journal.close()
}

test('a damaged file is set aside with its reason, and a new one begun', async t => {
  const damage: [RegExp, (path: string) => void][] = [
    [/not a database/, path => writeFileSync(path, 'polewatch'.repeat(1000))],
    [/application id/, path => truncateSync(path, 0)],
    [/malformed|pages/, path => truncateSync(path, 4096 * 2)],
    [/malformed|pages/, path => overwrite(path, 4096 * 3 + 17, Buffer.alloc(4096, 0xa5))],
    [/application id/, path => overwrite(path, 68, Buffer.from('GPKG'))],
    [/version 0, not 1/, path => withSql(path, 'PRAGMA user_version = 0')],
    [/another role/, path => withSql(path, `UPDATE journal SET role = 'vision'`)],
    [/whose it is/, path => withSql(path, 'DELETE FROM journal')],
    [/no such table/, path => withSql(path, 'DROP TABLE shed')],
    [/audit record/, path => withSql(path, `UPDATE audit SET subject = 'else' WHERE number = 62`)],
    [
      /only its write-ahead log/,
      path => {
        writeFileSync(`${path}-wal`, 'left over')
        rmSync(path)
      },
    ],
  ]
  for (const [why, inflict] of damage) {
    const path = newPath()
    const epoch = await filled(path)
    inflict(path)
    await setAside(t, path, epoch, why)
  }
})

function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  const file = openSync(path, 'r+')
  writeSync(file, bytes, 0, bytes.length, offset)
  closeSync(file)
}

function withSql(path: string, sql: string): void {
  const connection = new Database(path)
  connection.exec(sql)
  connection.close()
}

test('a flipped bit anywhere in the header costs at most the file, never the start and never an alert in silence', async t => {
  const original = newPath()
  const epoch = await filled(original)
  const content = readFileSync(original)
  let kept = 0
  for (let bit = 0; bit < 800; bit += 11) {
    const path = newPath()
    const damaged = Buffer.from(content)
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    writeFileSync(path, damaged)
    const journal = openJournal(path)
    if (journal.condition.setAside === null) {
      const reader = new JournalReader(path)
      const held = reader.read('/harbour/pole-17/sensing/gunfire', epoch, 0, 1000)
      if (journal.epoch !== epoch || held.length !== 60)
        t.fail(`bit ${bit}: ${held.length} alerts, epoch ${journal.epoch}`)
      reader.close()
      kept += 1
    }
    const { sequence } = await journal.append(draft('gunfire'))
    if (sequence !== (journal.condition.setAside === null ? 61 : 1)) t.fail(`bit ${bit}: sequence ${sequence}`)
    journal.close()
    rmSync(path)
  }
  t.ok(kept > 0 && kept < 73, `${kept} of 73 flips were harmless`)
})

test('what a damaged file held for the hub is on record in the new one, until an alert has told of it', async t => {
  const path = newPath()
  const epoch = await filled(path)
  withSql(path, `UPDATE audit SET subject = 'else' WHERE number = 62`)
  const acknowledged = (source: string, of: string) => (source.endsWith('/gunfire') && of === epoch ? 20 : 0)
  const open = () => openJournal(path, { acknowledged })
  const journal = open()
  t.match(journal.condition.setAside, { code: 'PW_JOURNAL_DAMAGED' })
  const [shots, hits] = [journal.source('gunfire'), journal.source('hit')]
  const lost = [
    { source: shots, epoch, firstSequence: 21, lastSequence: 60 },
    { source: hits, epoch, firstSequence: 1, lastSequence: 1 },
  ]
  t.same(journal.untoldLosses, lost)
  const counter = new ShedCounter(path)
  t.equal(counter.alerts, 41)
  counter.close()
  journal.close()
  const again = open()
  t.same(again.untoldLosses, lost, 'a process that ends before it has told of it leaves that to the next')
  await again.append(draft('rest', 300, { audit: { action: 'alert-shed', subject: lostSubject } }))
  again.close()
  const told = open()
  t.same(told.untoldLosses, [])
  t.match(verifyChain(path), { valid: true })
  told.close()
  t.same(
    readdirSync(dirname(path)).filter(name => name.startsWith(`${basename(path)}.damaged`) && /-(shm|wal)$/.test(name)),
    [],
    'and the file that was set aside is left as it was',
  )
})

test('damage that shows while the journal runs sets the file aside, and the alert goes into the new one', async t => {
  const path = newPath()
  const epoch = await filled(path, 400)
  const journal = openJournal(path)
  t.equal(journal.epoch, epoch)
  // A commit from elsewhere makes the writer read its pages anew.
  withSql(path, 'UPDATE journal SET begun = begun + 1')
  const size = readFileSync(path).length
  for (let page = 1; page * 4096 < size; page += 1) overwrite(path, page * 4096, Buffer.alloc(4096, 0xa5))
  let attempts = 0
  const confirmation = await journal.append(
    draft('gunfire', 300, {
      encode: position => {
        attempts += 1
        return { id: 'shot', bytes: bytesOf(position, 300) }
      },
    }),
  )
  t.not(confirmation.epoch, epoch)
  t.equal(confirmation.sequence, 1)
  t.ok(attempts >= 1 && attempts <= 2)
  t.match(journal.condition, { fault: null, setAside: { code: 'PW_JOURNAL_DAMAGED' } })
  t.match(verifyChain(path), { valid: true })
  journal.close()
})

test('a file that holds less than the hub has is set aside, so that no number is used for two alerts', async t => {
  const path = newPath()
  const epoch = await filled(path)
  const journal = openJournal(path, {
    acknowledged: (source, of) => (source.endsWith('/gunfire') && of === epoch ? 61 : 0),
  })
  t.match(journal.condition.setAside, { code: 'PW_JOURNAL_DAMAGED', message: /hub has more/ })
  t.not(journal.epoch, epoch)
  journal.close()
})

test("the three newest damaged files are kept, and what a crash left of a new file is in nobody's way", async t => {
  const path = newPath()
  for (let count = 0; count < 5; count += 1) {
    writeFileSync(path, `damaged ${count}`)
    writeFileSync(`${path}.new`, 'half')
    openJournal(path, { clock: () => 1_545_180_568 + count }).close()
    rmSync(path)
  }
  const kept = readdirSync(dirname(path)).filter(name => name.startsWith(`${basename(path)}.damaged`))
  t.same(
    kept.map(name => readFileSync(join(dirname(path), name), 'utf8')),
    ['damaged 2', 'damaged 3', 'damaged 4'],
  )
})

test('a lock file with content in it keeps nobody from starting', async t => {
  const path = newPath()
  writeFileSync(`${path}.lock`, 'garbage of a crash '.repeat(300))
  const journal = openJournal(path)
  t.equal(journal.condition.fault, null)
  t.throws(() => openJournal(path), { code: 'PW_JOURNAL_IN_USE' })
  journal.close()
})

test('a reader of a file that is not a journal says so, and comes round when one is put there', async t => {
  const path = newPath()
  const reader = new JournalReader(path)
  t.same(reader.streams(), [], 'no file is no fault')
  writeFileSync(path, 'not a database '.repeat(1000))
  t.throws(() => reader.streams(), { code: 'PW_JOURNAL_UNREADABLE' })
  const good = newPath()
  const epoch = await filled(good)
  renameSync(good, path)
  t.match(reader.streams(), [{ epoch, lastSequence: 60 }, { lastSequence: 1 }])
  reader.close()
})
