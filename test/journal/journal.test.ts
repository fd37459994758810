import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { verifyChain } from '../../gateway/journal/audit.js'
import { type JournalCondition, priorities, type ShedRange } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { ShedCounter } from '../../gateway/journal/shed-counter.js'
import { bytesOf, draft, folder, forged, newPaths, openJournal } from './drafts.js'

const root = folder()
const newPath = newPaths(root)

test('every stream counts from one without a gap, in the order of the calls', async t => {
  const path = newPath()
  const journal = openJournal(path)
  t.match(journal.epoch, /^[0-9a-f]{16}$/)
  const calls = Array.from({ length: 400 }, (_, index) => priorities[index % 4] ?? 'rest')
  const confirmations = await Promise.all(calls.map(priority => journal.append(draft(priority))))
  const reader = new JournalReader(path)
  for (const priority of priorities) {
    const source = `/harbour/pole-17/sensing/${priority}`
    const sequences = Array.from({ length: 100 }, (_, index) => index + 1)
    t.same(
      confirmations.filter(position => position.source === source).map(({ sequence }) => sequence),
      sequences,
    )
    const held = reader.read(source, journal.epoch ?? '', 0, 1000)
    t.same(
      held.map(({ sequence }) => sequence),
      sequences,
    )
    t.ok(
      held.every(alert => alert.bytes.equals(bytesOf(alert, 300))),
      'bytes are those encoded for that position',
    )
    t.match(held[7], { id: `${journal.epoch}-8`, topic: `alert/${priority}`, kind: priority, priority, exercise: true })
  }
  t.same(
    reader.streams().map(({ priority }) => priority),
    priorities,
  )
  t.same(
    reader.read('/harbour/pole-17/sensing/hit', journal.epoch ?? '', 40, 3).map(({ sequence }) => sequence),
    [41, 42, 43],
  )
  t.same(reader.read('/harbour/pole-17/sensing/hit', '0123456789abcdef', 0, 3), [], 'another epoch has nothing')
  reader.close()
  journal.close()
  await t.rejects(journal.append(draft('hit')), /closed/)
})

test('numbers go on after a restart, also when everything was purged', async t => {
  const path = newPath()
  const first = openJournal(path)
  const { epoch } = first
  for (let count = 0; count < 3; count += 1) await first.append(draft('hit'))
  t.equal(first.lastPurge, null)
  t.same(await first.purge(source => (source.endsWith('/hit') ? 3 : 0)), { rows: 3, ahead: [] })
  first.close()
  const second = openJournal(path)
  t.equal(second.epoch, epoch)
  t.equal(second.held, 0)
  t.equal(second.lastPurge, 1_545_180_568.5)
  t.match(await second.append(draft('hit')), { sequence: 4 })
  const reader = new JournalReader(path)
  t.match(reader.streams(), [{ firstSequence: 4, lastSequence: 4 }])
  reader.close()
  second.close()
})

test('appends of one turn share a commit, and those that come while the disk is busy share the next', async t => {
  let commits = 0
  const journal = openJournal(newPath(), {
    seal: hash => {
      commits += 1
      return hash.slice(0, 8)
    },
  })
  await journal.append(draft('hit'))
  t.equal(commits, 1, 'the first is committed alone and at once')
  await Promise.all(Array.from({ length: 50 }, () => journal.append(draft('hit'))))
  t.equal(commits, 2)
  const waiting: Promise<unknown>[] = []
  for (let count = 0; count < 200; count += 1) {
    waiting.push(journal.append(draft('rest')))
    await Promise.resolve()
  }
  await Promise.all(waiting)
  t.ok(commits < 20, `200 appends in a row of microtasks took ${commits - 2} commits`)
  journal.close()
})

test('a promise resolves only when another connection can see the alert', async t => {
  const path = newPath()
  const journal = openJournal(path)
  const reader = new JournalReader(path)
  for (let count = 1; count <= 20; count += 1) {
    const { source, epoch, sequence } = await journal.append(draft('gunfire'))
    t.equal(reader.read(source, epoch, sequence - 1, 10).length, 1)
  }
  reader.close()
  journal.close()
})

test('an alert that cannot be encoded rejects alone and uses no number', async t => {
  const path = newPath()
  const journal = openJournal(path)
  const broken = draft('hit', 10, {
    encode: () => {
      throw new Error('no key')
    },
  })
  const keyless = draft('hit', 10, { encode: () => ({ id: 'shot', bytes: readFileSync(join(root, 'no such key')) }) })
  const unreadable = draft('hit', 10, {
    audit: { action: 'hit', subject: 'north street', detail: { error: Number.NaN } },
  })
  const results = await Promise.allSettled([
    journal.append(draft('hit')),
    journal.append(broken),
    journal.append(keyless),
    journal.append(draft('hit', 1024 * 1024 + 1)),
    journal.append(unreadable),
    journal.append(draft('hit')),
  ])
  t.match(results, [
    { status: 'fulfilled', value: { sequence: 1 } },
    { status: 'rejected', reason: { message: 'no key' } },
    { status: 'rejected', reason: { code: 'ENOENT' } },
    { status: 'rejected', reason: { code: 'PW_JOURNAL_ALERT_TOO_LARGE' } },
    { status: 'rejected', reason: /NaN/ },
    { status: 'fulfilled', value: { sequence: 2 } },
  ])
  t.match(verifyChain(path), { valid: true, records: 3 })
  t.equal(journal.condition.fault, null)
  journal.close()
})

test('more than ten thousand waiting alerts are refused, not hoarded', async t => {
  const journal = openJournal(newPath())
  const appended = Array.from({ length: 10_001 }, () => journal.append(draft('rest', 10)))
  journal.close()
  const results = await Promise.allSettled(appended)
  t.match(results.at(-1), { status: 'rejected', reason: { code: 'PW_JOURNAL_OVERLOADED' } })
  t.match(results.at(-2), { status: 'fulfilled', value: { sequence: 10_000 } }, 'closing commits what waits')
})

test('at the byte limit the lowest priority goes first, oldest first, and every number that went is named', async t => {
  const path = newPath()
  const reported: (readonly ShedRange[])[] = []
  // Room for ten alerts of 744 bytes with their 256 of overhead.
  const journal = openJournal(path, { byteLimit: 10_000, onShed: pending => reported.push(pending) })
  const reader = new JournalReader(path)
  const shed = new ShedCounter(path)
  t.equal(shed.alerts, 0)
  const held = () =>
    Object.fromEntries(
      reader.streams().map(({ priority, firstSequence, lastSequence }) => [priority, [firstSequence, lastSequence]]),
    )
  for (let count = 0; count < 4; count += 1) await journal.append(draft('rest', 744))
  for (let count = 0; count < 4; count += 1) await journal.append(draft('fault', 744))
  for (let count = 0; count < 4; count += 1) await journal.append(draft('gunfire', 744))
  t.same(held(), { gunfire: [1, 4], fault: [1, 4], rest: [3, 4] })
  t.equal(journal.held, 10_000)
  await journal.append(draft('hit', 2744))
  t.same(held(), { gunfire: [1, 4], hit: [1, 1], fault: [2, 4], rest: [5, 4] })
  t.match(journal.pendingShed(), [
    {
      source: '/harbour/pole-17/sensing/rest',
      priority: 'rest',
      firstSequence: 1,
      lastSequence: 4,
      epoch: journal.epoch,
    },
    { source: '/harbour/pole-17/sensing/fault', priority: 'fault', firstSequence: 1, lastSequence: 1 },
  ])
  t.same(reported.at(-1), journal.pendingShed())
  t.equal(shed.alerts, 5)

  await t.rejects(journal.append(draft('rest', 744)), { code: 'PW_JOURNAL_SHED' }, 'nothing is less important than it')
  t.match(journal.pendingShed()[0], { firstSequence: 1, lastSequence: 5 }, 'its number is used and named')

  for (let count = 0; count < 12; count += 1) await journal.append(draft('gunfire', 744))
  t.same(
    held(),
    { gunfire: [7, 16], hit: [2, 1], fault: [5, 4], rest: [6, 5] },
    'gunfire goes when nothing else is left',
  )

  let named: readonly ShedRange[] = []
  const report = draft('fault', 100, {
    reportsShed: true,
    encode: (position, shed) => {
      named = shed
      return { id: 'report', bytes: bytesOf(position, 100) }
    },
  })
  const before = reported.length
  await journal.append(report)
  t.same(
    named.map(({ priority, firstSequence, lastSequence }) => [priority, firstSequence, lastSequence]),
    [
      ['rest', 1, 5],
      ['fault', 1, 4],
      ['hit', 1, 1],
      ['gunfire', 1, 6],
    ],
  )
  t.same(held(), { gunfire: [7, 16], hit: [2, 1], fault: [5, 5], rest: [6, 5] }, 'a report may exceed the limit')
  t.equal(reported.length, before, 'and calls for no other')
  t.same(journal.pendingShed(), [])

  await journal.append(draft('gunfire', 744))
  t.same(
    journal.pendingShed().map(({ priority, firstSequence, lastSequence }) => [priority, firstSequence, lastSequence]),
    [
      ['rest', 1, 5],
      ['fault', 1, 5],
      ['hit', 1, 1],
      ['gunfire', 1, 7],
    ],
    'a report that was itself shed gives back what it named',
  )
  t.match(verifyChain(path), { valid: true })
  t.equal(shed.alerts, 18, 'all that was given up is counted, reported or not')
  await journal.purge(() => 100)
  t.equal(shed.alerts, 18, 'also when the hub knows of it')
  t.equal(new ShedCounter(path).alerts, 18)
  shed.close()
  reader.close()
  journal.close()
})

test('an acknowledged report takes the ranges that it named with it', async t => {
  const path = newPath()
  const journal = openJournal(path, { byteLimit: 2000 })
  for (let count = 0; count < 3; count += 1) await journal.append(draft('rest', 744))
  await journal.append(draft('fault', 100, { reportsShed: true }))
  await journal.purge(source => (source.endsWith('/fault') ? 1 : 0))
  t.same(journal.pendingShed(), [])
  journal.close()
  const connection = new Database(path)
  t.same(connection.prepare('SELECT * FROM shed').all(), [])
  connection.close()
})

test('what the hub already has makes room before anything is shed', async t => {
  const journal = openJournal(newPath(), {
    byteLimit: 10_000,
    acknowledged: source => (source.endsWith('/gunfire') ? 2 : 0),
    onShed: () => t.fail('nothing should be shed'),
  })
  for (let count = 0; count < 2; count += 1) await journal.append(draft('gunfire', 744))
  for (let count = 0; count < 10; count += 1) await journal.append(draft('rest', 744))
  t.equal(journal.held, 10_000)
  journal.close()
})

test('purging deletes exactly what is acknowledged, and nothing on a number that was never given out', async t => {
  const path = newPath()
  const journal = openJournal(path)
  await Promise.all(Array.from({ length: 2600 }, () => journal.append(draft('rest', 100))))
  await Promise.all(Array.from({ length: 10 }, () => journal.append(draft('gunfire', 100))))
  const result = await journal.purge(source => (source.endsWith('/rest') ? 2321 : 11))
  t.equal(result.rows, 2321)
  t.match(result.ahead, [{ source: '/harbour/pole-17/sensing/gunfire', acknowledged: 11, last: 10 }])
  const reader = new JournalReader(path)
  t.match(reader.streams(), [
    { priority: 'gunfire', firstSequence: 1, lastSequence: 10 },
    { priority: 'rest', firstSequence: 2322, lastSequence: 2600 },
  ])
  t.equal(journal.held, (279 + 10) * (100 + 256))
  t.match(verifyChain(path), { valid: true }, 'purged alerts leave their records')
  reader.close()
  journal.close()
})

test('what was purged is overwritten in the file, its overflowing part too', async t => {
  const path = newPath()
  const journal = openJournal(path)
  const plate = 'ABC-1234'
  const secret = (priority: 'hit' | 'rest', size: number) =>
    draft(priority, size, { encode: ({ sequence }) => ({ id: `${sequence}`, bytes: Buffer.alloc(size, plate) }) })
  for (const size of [40, 700, 5000]) await journal.append(secret('hit', size))
  await journal.append(draft('hit', 700))
  const written = () => ['', '-wal'].some(part => existsSync(path + part) && readFileSync(path + part).includes(plate))
  t.ok(written())
  await journal.purge(source => (source.endsWith('/hit') ? 3 : 0))
  journal.close()
  t.notOk(written())
})

test('a file has one writer', async t => {
  const path = newPath()
  const journal = openJournal(path)
  t.throws(() => openJournal(path), { code: 'PW_JOURNAL_IN_USE' })
  const other = `import { Journal } from ${JSON.stringify(new URL('../../gateway/journal/journal.js', import.meta.url).href)}
    try { Journal.open({ path: ${JSON.stringify(path)}, site: 'harbour', gateway: 'pole-17', role: 'sensing', byteLimit: 1e6, clock: () => 0 }) }
    catch (error) { process.stdout.write(String(error.code)) }`
  const { spawn } = await import('node:child_process')
  const child = spawn(process.execPath, ['--input-type=module', '--eval', other], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', chunk => {
    said += String(chunk)
  })
  await once(child, 'close')
  t.equal(said, 'PW_JOURNAL_IN_USE')
  t.match(await journal.append(draft('hit')), { sequence: 1 })
  journal.close()
  openJournal(path).close()
})

test('the audit chain shows every edit, removal and reordering, and a cut end to who kept a head', async t => {
  const path = newPath()
  const seal = (hash: string): string => createHash('sha256').update(`key ${hash}`).digest('hex')
  const journal = openJournal(path, { seal })
  for (let count = 0; count < 4; count += 1) await journal.append(draft('hit'))
  await journal.record({ action: 'command', subject: 'restart', detail: { by: 'operations', accepted: true } })
  const anchor = await journal.record({ action: 'access', subject: 'evidence' })
  const head = journal.auditHead()
  t.same(head, anchor)
  t.equal(head.number, 7, 'one record for the beginning and one for each thing done')
  const checkSeal = (hash: string, signature: string): boolean => signature === seal(hash)
  t.match(verifyChain(path, { anchors: [anchor], checkSeal }), { valid: true, records: 7, seals: 6, head })
  journal.close()

  const tamper = (sql: string, number: number, why: RegExp, options = {}): void => {
    const verdict = verifyChain(forged(path, newPath(), sql), { anchors: [anchor], checkSeal, ...options })
    t.match(verdict, { valid: false, number, why }, sql)
  }
  tamper(`UPDATE audit SET time = time + 1 WHERE number = 3`, 3, /content/)
  tamper(`UPDATE audit SET subject = 'south street' WHERE number = 3`, 3, /content/)
  tamper(`UPDATE audit SET detail = replace(detail, 'true', 'false') WHERE number = 6`, 6, /content/)
  tamper(`UPDATE audit SET detail = ' ' || detail WHERE number = 6`, 6, /cannot be read/)
  tamper(`UPDATE audit SET hash = randomblob(32) WHERE number = 3`, 3, /content/)
  tamper(`UPDATE audit SET previous = zeroblob(32) WHERE number = 3`, 3, /before it/)
  tamper(`DELETE FROM audit WHERE number = 4`, 4, /missing/)
  tamper(`DELETE FROM audit WHERE number = 4; UPDATE audit SET number = number - 1 WHERE number > 4`, 4, /before it/)
  tamper(
    `UPDATE audit SET number = 99 WHERE number = 4; UPDATE audit SET number = 4 WHERE number = 5; UPDATE audit SET number = 5 WHERE number = 99`,
    4,
    /before it/,
  )
  tamper(`DELETE FROM audit WHERE number = 7`, 7, /seen earlier/)
  tamper(`UPDATE audit SET seal = 'forged' WHERE number = 2`, 2, /signature/)
  tamper(`UPDATE alert SET bytes = CAST('forged' AS BLOB) WHERE audit = 3`, 3, /alert held/)
  tamper(`UPDATE alert SET audit = 90 WHERE audit = 3`, 90, /whose record is missing/)
  t.throws(() => verifyChain(join(root, 'nothing.db')), { code: 'PW_JOURNAL_UNREADABLE' })
})

test('conditions are reported once, as they change', async t => {
  const conditions: JournalCondition[] = []
  const journal = openJournal(newPath(), { onCondition: condition => conditions.push(condition) })
  await journal.append(draft('hit'))
  t.same(conditions, [], 'a sound journal says nothing')
  t.same(journal.condition, { fault: null, setAside: null })
  journal.close()
})
