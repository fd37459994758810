import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { Role } from '../../gateway/commands/role.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { polewatch } from '../commands/polewatch.js'
import { writeGateway } from '../uplink/attack.js'

const golden = (name: string) => openEvent(readFileSync(join(process.cwd(), `test/golden/messages/${name}.json`)))

test('an auditor verifies the chains, is told which record was rewritten, and is a record too; the report counts without a plate', async t => {
  const folder = t.testdir()
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', { hub: createSigningKey(), operator: createSigningKey() })
  const role = new Role('sensing', loadConfiguration(file))
  for (const name of ['gunfire', 'plate-hit', 'fault']) await role.append(golden(name))
  await role.journal.record({
    action: 'evidence-released',
    subject: 'plate-1',
    detail: { requestedBy: 'reviewer', purpose: 'verify-hit', hub: '/test/centre/hub/live', key: 'operator' },
  })
  role.close()
  const journal = join(folder, 'state', 'sensing.journal.db')
  const publicKey = join(folder, 'state', 'keys', 'sensing.pub')
  const verify = (...words: string[]) => polewatch('audit', 'verify', ...words)

  const whole = verify('--config', file, '--json')
  t.equal(whole.status, 0, whole.errors)
  const verdict = JSON.parse(whole.output)
  t.match(verdict, { valid: true, records: 5, seals: 4 })
  const head = `${verdict.head.number}:${verdict.head.hash}`

  const tampered = (name: string, change: string, key = publicKey, seen = head) => {
    const copy = join(folder, `${name}.db`)
    copyFileSync(journal, copy)
    const database = new Database(copy)
    database.exec(change)
    database.close()
    return verify(copy, '--key', key, '--head', seen)
  }
  t.equal(tampered('untouched', '').status, 0)
  const edited = tampered(
    'edited',
    `UPDATE audit SET detail = replace(detail, 'reviewer', 'nobody-x') WHERE number = 5`,
  )
  t.equal(edited.status, 1)
  t.match(edited.output, /record 5 fails: its content does not match its hash/)
  t.match(tampered('removed', 'DELETE FROM audit WHERE number = 3').output, /record 3 fails: the record is missing/)
  const swapped = `UPDATE audit SET number = 99 WHERE number = 2; UPDATE audit SET number = 2 WHERE number = 3;
    UPDATE audit SET number = 3 WHERE number = 99`
  t.match(tampered('reordered', swapped).output, /record 2 fails/)
  t.match(
    tampered('cut', 'DELETE FROM audit WHERE number = 5').output,
    /record 5 fails: a record that was seen earlier/,
  )
  const stranger = join(folder, 'hub.pub')
  t.match(tampered('other', '', stranger).output, /its signature is not by a known key/)
  t.equal(verify(journal, '--head', 'x').status, 2)

  const listed = polewatch(
    'audit',
    'list',
    '--config',
    file,
    '--action',
    'evidence-released',
    '--reason',
    'yearly audit',
  )
  t.match(listed.output, /sensing +evidence-released plate-1: .*purpose verify-hit, requestedBy reviewer/)
  t.equal(polewatch('evidence', 'list', '--config', file).status, 2, 'nobody looks without a reason')
  t.equal(polewatch('evidence', 'list', '--config', file, '--reason', 'case 7').status, 0)
  const absent = [
    'evidence',
    'get',
    'plate-9',
    '--output',
    join(folder, 'x.jpg'),
    '--config',
    file,
    '--reason',
    'case 7',
  ]
  t.match(polewatch(...absent), { status: 1, errors: /PW_EVIDENCE_UNREADABLE/ })

  const told = polewatch('report', '--config', file, '--json')
  const report = JSON.parse(told.output)
  t.match(report, {
    hits: { confirmedCandidate: 0, possible: 1, investigative: 0 },
    incidents: 1,
    alerts: { gunfire: 1, hit: 1, fault: 1, rest: 0 },
    deliveries: { acknowledged: 0, waiting: 3, shed: 0 },
    evidence: { kept: 0, released: 1, purged: 0 },
    accesses: 4,
    audit: [{ role: 'sensing', length: 5, head: verdict.head.hash }],
  })
  t.match(
    report.accessed.map(({ what, purpose }: Record<string, unknown>) => [what, purpose]),
    [
      ['evidence-released', 'verify-hit'],
      ['audit', 'yearly audit'],
      ['evidence-list', 'case 7'],
      ['evidence-get', 'case 7'],
    ],
  )
  const page = polewatch('report', '--config', file)
  t.match(page.output, /\| Times that somebody looked \| 4 \|/)
  t.notMatch(told.output + page.output, /EXAMPL/, 'no plate')
  t.match(polewatch('report', '--config', file, '--month', '2020-01', '--json').output, /"incidents":0/)
  t.match(verify('--config', file).output, /local.journal.db: whole, 4 records/)
})
