import { existsSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { test } from 'tap'
import { journalFormat } from '../../gateway/journal/layout.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { type Format, openForWriting } from '../../gateway/journal/storage.js'
import { draft, folder, newPaths, openJournal } from './drafts.js'

const newPath = newPaths(folder())

/** A journal with one alert, as the program of today leaves it. */
async function filled(): Promise<string> {
  const path = newPath()
  const journal = openJournal(path)
  await journal.append(draft('gunfire'))
  journal.close()
  return path
}

function versionOf(path: string): unknown {
  const file = new Database(path)
  const version: unknown = file.pragma('user_version', { simple: true })
  file.close()
  return version
}

const next: Format = {
  ...journalFormat,
  version: 3,
  migrations: ['ALTER TABLE alert ADD COLUMN colour TEXT', `UPDATE alert SET colour = 'red'`],
}

test('a journal that a newer program made is refused by name and left as it is', async t => {
  const path = await filled()
  const file = new Database(path)
  file.exec('ALTER TABLE journal ADD COLUMN later TEXT; PRAGMA user_version = 9')
  file.close()
  const before = readFileSync(path)
  t.throws(() => openJournal(path), {
    code: 'PW_JOURNAL_NEWER',
    message: /version 9; this program knows version 1/,
  })
  t.same(readFileSync(path), before)
  t.throws(() => openJournal(path), { code: 'PW_JOURNAL_NEWER' }, 'and nobody holds it')
})

test('an older journal is brought forwards with what it holds, and kept beside it as it was', async t => {
  const path = await filled()
  const connection = openForWriting(path, next, 'FULL')
  t.same(connection.prepare('SELECT colour, kind FROM alert').all(), [{ colour: 'red', kind: 'gunfire' }])
  connection.close()
  t.equal(versionOf(path), 3)
  t.throws(() => openJournal(path), { code: 'PW_JOURNAL_NEWER' }, 'the program of before does not touch it')
  const backup = `${path}.version-1`
  t.equal(versionOf(backup), 1)
  const reader = new JournalReader(backup)
  t.match(reader.streams(), [{ priority: 'gunfire', firstSequence: 1, lastSequence: 1 }])
  reader.close()
  const again = openForWriting(path, next, 'FULL')
  t.equal(again.prepare('SELECT count(*) FROM alert').pluck().get(), 1, 'and nothing is done twice')
  again.close()
})

test('a migration that fails changes nothing', async t => {
  const path = await filled()
  const broken = { ...next, migrations: ['ALTER TABLE alert ADD COLUMN colour TEXT', 'UPDATE absent SET colour = 1'] }
  t.throws(() => openForWriting(path, broken, 'FULL'), { message: /no such table/ })
  t.equal(versionOf(path), 1)
  t.ok(existsSync(`${path}.version-1`))
  const journal = openJournal(path)
  t.match(await journal.append(draft('gunfire')), { sequence: 2 })
  journal.close()
})
