import { createHash } from 'node:crypto'
import { test } from 'tap'
import { type AuditHead, verifyChain } from '../../gateway/journal/audit.js'
import { readChain } from '../../gateway/journal/chain-reader.js'
import { draft, folder, forged, newPaths, openJournal } from './drafts.js'

const newPath = newPaths(folder())
const day = 86_400
const start = Date.UTC(2026, 0, 1) / 1000

test('records whose time is over are deleted, and the chain is proved from a signed checkpoint on', async t => {
  const path = newPath()
  const seal = (hash: string): string => createHash('sha256').update(`key ${hash}`).digest('hex')
  const checkSeal = (hash: string, signature: string): boolean => signature === seal(hash)
  let now = start
  const journal = openJournal(path, { seal, clock: () => now })
  const heads: AuditHead[] = [journal.auditHead()]
  for (; now < start + 30 * day; now += day)
    heads.push(await journal.record({ action: 'access', subject: `day ${heads.length}` }))
  const [first, ninth, tenth, eleventh] = [heads[0], heads[8], heads[9], heads[10]]
  if (first === undefined || ninth === undefined || tenth === undefined || eleventh === undefined) throw new Error()

  t.equal(await journal.forget(start - 1), 0, 'nothing is so old')
  t.equal(await journal.forget(start + 8.5 * day), 10, 'the beginning and nine days')
  t.match(verifyChain(path, { checkSeal }), { valid: true, records: 22, deleted: tenth, unknown: [] })
  t.equal(await journal.forget(start + 12.5 * day), 0, 'one checkpoint a day is enough')
  now += day
  await journal.append(draft('hit'))
  now += day
  t.equal(await journal.forget(start + 12.5 * day), 4)
  t.match(verifyChain(path, { checkSeal, anchors: [heads[20] ?? first] }), { valid: true, unknown: [] })
  t.match(verifyChain(path, { anchors: [tenth] }), { valid: true, unknown: [] }, 'an older checkpoint tells it')
  t.match(verifyChain(path, { anchors: [ninth] }), { valid: true, unknown: [9] }, 'of others nothing can be said')
  t.match(verifyChain(path, { anchors: [{ ...tenth, hash: ninth.hash }] }), { valid: false, why: /another record/ })
  const inOrder = readChain(path, chain => [...chain.records(0, start + 14.5 * day)].map(({ number }) => number))
  t.same(inOrder, [15, 16])

  now += 400 * day
  t.equal(await journal.forget(now), 18, 'the record of an alert that is still held stays, and what comes after it')
  t.match(verifyChain(path, { checkSeal }), { valid: true })
  await journal.purge(() => 1)
  now += 2 * day
  await journal.forget(now)
  t.match(verifyChain(path, { checkSeal }), { valid: true, records: 1 }, 'once it is gone, all but the checkpoint')
  journal.close()
  const again = openJournal(path, { seal, clock: () => now })
  await again.record({ action: 'access', subject: 'after a restart' })
  t.match(verifyChain(path, { checkSeal }), { valid: true, records: 2 })
  again.close()
})

test('whoever deletes records without the key is found', async t => {
  const path = newPath()
  const seal = (hash: string): string => `signature of ${hash}`
  const checkSeal = (hash: string, signature: string): boolean => signature === seal(hash)
  let now = start
  const journal = openJournal(path, { seal, clock: () => now })
  for (; now < start + 20 * day; now += day) await journal.record({ action: 'access', subject: 'evidence' })
  await journal.forget(start + 5.5 * day)
  await journal.record({ action: 'access', subject: 'evidence' })
  journal.close()
  const tampered = (sql: string, why: RegExp): void => {
    t.match(verifyChain(forged(path, newPath(), sql), { checkSeal }), { valid: false, why }, sql)
  }
  tampered('DELETE FROM audit WHERE number <= 9', /missing/)
  tampered(`DELETE FROM audit WHERE action = 'audit-purged'`, /missing/)
  tampered(`UPDATE audit SET detail = replace(detail, '"through":7', '"through":8') WHERE number = 22`, /missing/)
  tampered(
    `DELETE FROM audit WHERE number <= 8;
    UPDATE audit SET detail = replace(detail, '"through":7', '"through":8') WHERE number = 22`,
    /before it/,
  )
  tampered('UPDATE audit SET seal = NULL WHERE number >= 22', /no signature vouches/)
})

test('a clock that was wrong for a while neither deletes too early nor keeps records for ever', async t => {
  const path = newPath()
  let now = start
  const journal = openJournal(path, { clock: () => now })
  const at = async (time: number): Promise<void> => {
    now = time
    await journal.record({ action: 'access', subject: 'evidence' })
  }
  await at(start + day)
  await at(start + 5000 * day)
  await at(start + 2 * day)
  await at(start + 50 * day)
  await at(0)
  await at(start + 51 * day)
  now = start + 60 * day
  t.equal(await journal.forget(start + 40 * day), 4, 'the one from the future goes with those around it')
  now = start + 62 * day
  t.equal(await journal.forget(start + 40 * day), 0, 'one from 1970 takes none before it along')
  t.match(verifyChain(path), { valid: true })
  now = 1000
  t.equal(await journal.forget(now - 40 * day), 0)
  journal.close()
})

test('a long chain is deleted in steps, each of which holds', async t => {
  const path = newPath()
  let now = start
  const journal = openJournal(path, { clock: () => now })
  await Promise.all(Array.from({ length: 4500 }, () => journal.record({ action: 'access', subject: 'evidence' })))
  now += 10 * day
  const forgetting = journal.forget(now - day)
  t.match(verifyChain(path), { valid: true, deleted: { number: 2000 } })
  t.equal(await forgetting, 4501)
  t.match(verifyChain(path), { valid: true, records: 3 })
  journal.close()
})
