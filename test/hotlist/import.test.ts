import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { test } from 'tap'
import { PolewatchError } from '../../gateway/errors.js'
import { DelimitedParser, type Delimiter, delimiters, FixedWidthParser } from '../../gateway/hotlist/csv.js'
import { parseDate } from '../../gateway/hotlist/dates.js'
import { refusalReasons } from '../../gateway/hotlist/entries.js'
import { lockFolder } from '../../gateway/hotlist/generations.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { type HotlistImportOptions, importHotlist } from '../../gateway/hotlist/import.js'
import { hotlistMappingSchema, hotlistPresets } from '../../gateway/hotlist/mapping.js'
import { stepBack } from '../../gateway/hotlist/step-back.js'

const now = Date.UTC(2026, 2, 1, 12) / 1000
const heading = 'plate,state,purpose,expires,id\n'

type Some = Partial<Omit<HotlistImportOptions, 'source'>>
const importText = (directory: string, text: string | Buffer, some: Some = {}) =>
  importHotlist({
    listName: 'city',
    directory,
    source: Readable.from([Buffer.from(text)]),
    mapping: 'plain',
    now,
    ...some,
  })

const codeOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    error => (error instanceof PolewatchError ? error.code : String(error)),
  )

const list = (count: number, from = 0) =>
  heading +
  Array.from(
    { length: count },
    (_, index) => `TST${String(from + index).padStart(4, '0')},PA,stolen,2026-12-31,\n`,
  ).join('')

test('a list is imported and its entries are found, exactly and by look-alikes, with all that a hit needs', async t => {
  const directory = t.testdir()
  const text = `${heading}abo-1234,us-pa,stolen vehicle,2026-03-31,C-7\nAB01234,,wanted,2026-04-01T06:00:00-05:00,\n`
  const result = await importText(directory, text)
  t.equal(result.accepted, 2)
  t.equal(result.generation, 1)
  t.same(result.refused, [])
  t.equal(result.sourceSha256, createHash('sha256').update(text).digest('hex'))

  const current = join(directory, 'city', 'current')
  t.equal(result.sha256, createHash('sha256').update(readFileSync(current)).digest('hex'))
  t.match(readlinkSync(current), result.sha256)
  t.equal(statSync(current).mode & 0o777, 0o440)

  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  const answer = hotlist.find('ABO 1234', now)
  t.same(answer.candidates, [
    {
      list: 'city',
      generation: 1,
      id: 'C-7',
      text: 'ABO1234',
      state: 'PA',
      purpose: 'stolen vehicle',
      effective: null,
      expires: Date.UTC(2026, 3, 1) / 1000,
      oneEdit: false,
      issue: answer.candidates[0]?.issue,
    },
    {
      list: 'city',
      generation: 1,
      id: 'line-3',
      text: 'AB01234',
      state: null,
      purpose: 'wanted',
      effective: null,
      expires: Date.UTC(2026, 3, 1, 11) / 1000,
      oneEdit: false,
      issue: answer.candidates[1]?.issue,
    },
  ])
  for (const { issue } of answer.candidates) t.match(issue, /^[0-9a-f]{32}$/)
  t.equal(hotlist.find('A8O12E4', now).candidates.length, 0)
  t.equal(hotlist.find('A80I2E4', now).candidates.length, 0)
  t.equal(hotlist.find('A8OI234', now).candidates.length, 2, 'look-alikes at any place')
  t.equal(hotlist.find('??', now).candidates.length, 0, 'noise is no plate and no error')
  t.match(
    result.warnings.map(warning => warning.message),
    ['Line 3 is one look-alike away from entry C-7 (line 2).'],
  )
})

test('one edit finds only entries that ask for it, at any length a plate can have', async t => {
  const directory = t.testdir()
  await importText(
    directory,
    'plate,purpose,expires,one-edit\nABC1234,stolen,20261231,yes\nABC1235,stolen,20261231,no\n' +
      'AB,stolen,20261231,1\nABCDEFGHIJKL,stolen,20261231,X\nABC123X,stolen,20261231,maybe\n',
  )
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  const found = (text: string) => hotlist.findOneEdit(text, now).candidates.map(entry => entry.text)
  for (const text of ['ABC123', 'ABD1234', 'XABC1234', 'BC1234', 'ABC12344']) t.same(found(text), ['ABC1234'], text)
  t.same(found('ABC1234'), [], 'no edit is not one edit')
  t.same(found('ABD1235'), [], 'not asked for, or two edits')
  t.same(found('A'), ['AB'])
  t.same(found('ABCDEFGHIJK'), ['ABCDEFGHIJKL'])
  t.equal(hotlist.status(now).about?.oneEdit, 3)
  t.equal(hotlist.status(now).about?.refused, 1)
})

test('every line that is refused is named with its reason, and all others are imported', async t => {
  const lines: [string, string | null][] = [
    ['plate,state,purpose,effective,expires,id,one-edit', null],
    ['OK00001,PA,stolen,,2026-12-31,a,', null],
    [',PA,stolen,,2026-12-31,a,', 'plate-empty'],
    ['ABCDEFGHIJKLM,PA,stolen,,2026-12-31,a,', 'plate-too-long'],
    ['AB?1234,PA,stolen,,2026-12-31,a,', 'plate-foreign-character'],
    ['AB11234,PA,,,2026-12-31,a,', 'purpose-missing'],
    [`AB11234,PA,${'x'.repeat(101)},,2026-12-31,a,`, 'purpose-not-understood'],
    ['AB11234,PA,parking,,2026-12-31,a,', 'purpose-not-allowed'],
    [`AB11234,${'x'.repeat(33)},stolen,,2026-12-31,a,`, 'state-not-understood'],
    ['AB11234,PA,stolen,,,a,', 'expiry-missing'],
    ['AB11234,PA,stolen,,2026-02-30,a,', 'expiry-not-a-date'],
    ['AB11234,PA,stolen,,12/31/2026,a,', 'expiry-not-a-date'],
    ['AB11234,PA,stolen,,2026-02-28,a,', 'already-expired'],
    ['AB11234,PA,stolen,soon,2026-12-31,a,', 'effective-not-a-date'],
    ['AB11234,PA,stolen,2027-01-01,2026-12-31,a,', 'effective-after-expiry'],
    [`AB11234,PA,stolen,,2026-12-31,${'i'.repeat(65)},`, 'id-not-understood'],
    ['AB11234,PA,stolen,,2026-12-31,a,perhaps', 'one-edit-not-understood'],
    ['AB11234,PA,stolen', 'wrong-number-of-fields'],
    ['AB1,1234,PA,stolen,,2026-12-31,a,', 'wrong-number-of-fields'],
    ['"AB11234,PA,stolen,,2026-12-31,a,', 'text-after-quote'],
    ['"AB1"1234,PA,stolen,,2026-12-31,a,', 'text-after-quote'],
    ['AB1"1234,PA,stolen,,2026-12-31,a,', 'quote-inside-field'],
    ['', null],
    ['OK00002,PA,stolen,2026-03-02,2026-12-31,,', null],
    ['"OK-00003",PA,"stolen",,"2026-12-31","a,b",yes', null],
    [`AB11234,PA,stolen,,2026-12-31,${'x'.repeat(70_000)},`, 'line-too-long'],
    ['OK00004,PA,stolen,,2026-12-31,,', null],
    ['OK00005,PA,stolen,,2026-12-31,"never closed,', 'quote-not-closed'],
    ['OK00006,PA,stolen,,2026-12-31,,', null],
  ]
  const expected = lines.flatMap(([, reason], index) => (reason === null ? [] : [{ line: index + 1, reason }]))
  const text = `\ufeff${lines.map(([line]) => line).join('\r\n')}\r\n`
  for (const size of [text.length, 1000, 7]) {
    const bytes = Buffer.from(text)
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
      bytes.subarray(index * size, (index + 1) * size),
    )
    const directory = t.testdir()
    const told: unknown[] = []
    const result = await importHotlist({
      listName: 'city',
      directory,
      source: Readable.from(pieces),
      mapping: 'plain',
      purposes: new Map([['stolen', 'stolen']]),
      now,
      onRefused: refused => told.push(refused),
    })
    t.same(result.refused, expected)
    t.same(told, expected)
    t.equal(result.accepted, 5)
    const hotlist = Hotlist.open(directory, 'city')
    t.equal(hotlist.find('OK00006', now).candidates.length, 1)
    t.same(hotlist.find('OK00003', now).candidates[0]?.id, 'a,b')
    hotlist.close()
  }
  for (const { reason } of expected) t.ok(Object.hasOwn(refusalReasons, reason), reason)
})

test('defaults stand in for a purpose, a state and an expiry that the file lacks, and nothing else does', async t => {
  const directory = t.testdir()
  const bare = 'Plate,State,Alert\nABC1234,PA,Felony\nABC1235,,\n'
  t.equal(await codeOf(importText(directory, bare, { mapping: 'vigilant' })), 'PW_HOTLIST_MAPPING')
  t.equal(await codeOf(importText(directory, 'plate,expires\nABC1234,2026-12-31\n')), 'PW_HOTLIST_MAPPING')
  const result = await importText(directory, bare, {
    mapping: 'vigilant',
    defaults: { validFor: 86_400.5, purpose: 'wanted', state: 'OH' },
  })
  t.equal(result.accepted, 2)
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.match(hotlist.find('ABC1234', now).candidates, [{ purpose: 'Felony', state: 'PA', expires: now + 86_400 }])
  t.match(hotlist.find('ABC1235', now).candidates, [{ purpose: 'wanted', state: 'OH', expires: now + 86_400 }])
})

test('the formats that agencies send are read: delimiters, headings, no heading, fixed width, other encodings', async t => {
  const genetec = 'Category;PlateState;PlateNumber;EffectiveDate;ExpiryDate\n'
  const row = 'Stolen;QC;DEF228;2026-01-31;2026-05-31\n'
  const fixedWidth = hotlistMappingSchema.parse({
    layout: 'fixed-width',
    skipLines: 1,
    dates: 'day-first',
    utcOffset: -300,
    columns: {
      plate: { start: 1, length: 8 },
      state: { start: 9, length: 2 },
      purpose: { start: 11, length: 10 },
      expires: { start: 21, length: 10 },
    },
  })
  const cases: [string, string | Buffer, Some][] = [
    ['genetec with ;', genetec + row, { mapping: 'genetec' }],
    ['genetec with :', (genetec + row).replaceAll(';', ':'), { mapping: 'genetec' }],
    ['genetec with tab', (genetec + row).replaceAll(';', '\t'), { mapping: 'genetec' }],
    ['without a heading', row, { mapping: 'genetec' }],
    ['a delimiter that is given', (genetec + row).replaceAll(';', ':'), { mapping: 'genetec', delimiter: ':' }],
    [
      'columns in another order',
      'ExpiryDate,Plate Number,category\n2026-05-31,DEF228,Stolen\n',
      { mapping: 'genetec' },
    ],
    ['UTF-16', Buffer.from(`\ufeff${genetec}${row}`, 'utf16le'), { mapping: 'genetec' }],
    ['files joined with their byte order marks', `\ufeff${genetec}\ufeff${row}`, { mapping: 'genetec' }],
    ['no last line end', genetec + row.trim(), { mapping: 'genetec' }],
    ['fixed width', 'a heading, "with a quote\nDEF 228 QCStolen    31.05.2026\n', { mapping: fixedWidth }],
    ['fixed width, joined', '\ufeffa heading\n\ufeffDEF 228 QCStolen    31.05.2026\n', { mapping: fixedWidth }],
  ]
  for (const [title, text, some] of cases) {
    const directory = t.testdir()
    const result = await importText(directory, text, some)
    t.same(result.refused, [], title)
    const hotlist = Hotlist.open(directory, 'city')
    t.match(hotlist.find('DEF228', now).candidates, [{ purpose: 'Stolen' }], title)
    hotlist.close()
  }
  const windows = hotlistMappingSchema.parse({ ...hotlistPresets.plain, encoding: 'windows-1252' })
  const directory = t.testdir()
  const latin = Buffer.from(`${heading}MN 123,D,verdächtig,2026-12-31,\n`, 'latin1')
  await importText(directory, latin, { mapping: windows })
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.equal(hotlist.find('MN123', now).candidates[0]?.purpose, 'verdächtig')
  const bytes = Buffer.from(`${heading}MN 123,D,verdächtig,2026-12-31,\n`)
  const split = Readable.from([...bytes].map(byte => Buffer.from([byte])))
  await importHotlist({ listName: 'city', directory, source: split, mapping: 'plain', now })
  t.match(hotlist.find('MN123', now), { generation: 2, candidates: [{ purpose: 'verdächtig' }] }, 'cut within a letter')
  t.same((await importText(t.testdir(), Buffer.concat([latin, Buffer.from('AB1,PA,stolen,2026-12-31,')]))).refused, [
    { line: 2, reason: 'purpose-not-understood' },
  ])
})

test('dates are read as their order says, and those that no calendar has are not', async t => {
  const day = Date.UTC(2026, 2, 4) / 1000
  const cases: [string, 'year-first' | 'month-first' | 'day-first', number | null][] = [
    ['2026-03-04', 'year-first', day + 86_400],
    ['2026/3/4', 'day-first', day + 86_400],
    ['20260304', 'month-first', day + 86_400],
    ['20260304T101500', 'year-first', day + 36_900],
    ['2026-03-04T10:15:00Z', 'year-first', day + 36_900],
    ['2026-03-04 10:15', 'year-first', day + 36_900],
    ['2026-03-04T10:15:00.5+02:00', 'year-first', day + 29_700],
    ['03/04/2026', 'month-first', day + 86_400],
    ['04.03.2026', 'day-first', day + 86_400],
    ['3/4/2026 12:15 AM', 'month-first', day + 900],
    ['3/4/2026 1:15:00 pm', 'month-first', day + 47_700],
    ['03/04/2026', 'year-first', null],
    ['2026-02-29', 'year-first', null],
    ['13/04/2026', 'month-first', null],
    ['2026-03-04T25:00', 'year-first', null],
    ['2026-03/04', 'year-first', null],
    ['99999999', 'year-first', null],
    ['3/4/2026 13:15 PM', 'month-first', null],
    ['tomorrow', 'year-first', null],
  ]
  for (const [text, order, expected] of cases) t.equal(parseDate(text, order, 0, true), expected, `${text} ${order}`)
  t.equal(parseDate('2026-03-04', 'year-first', 0, false), day)
  t.equal(parseDate('2026-03-04', 'year-first', -300, true), day + 86_400 + 18_000, 'the day ends later in the west')
})

test('a list that lost more than a fifth of its entries, or all, is refused unless it is allowed', async t => {
  const directory = t.testdir()
  t.equal(await codeOf(importText(directory, heading)), 'PW_HOTLIST_EMPTY')
  t.equal(await codeOf(importText(directory, '')), 'PW_HOTLIST_EMPTY')
  await importText(directory, list(100))
  const error = await importText(directory, list(79)).catch(thrown => thrown)
  assert.ok(error instanceof PolewatchError)
  t.equal(error.code, 'PW_HOTLIST_SHRANK')
  t.match(error.details, { before: 100, accepted: 79 })
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.equal(hotlist.status(now).about?.generation, 1, 'the old list is still current')
  await importText(directory, list(80))
  t.equal(hotlist.status(now).about?.entries, 80)
  await importText(directory, list(1), { allowShrink: true })
  t.equal(hotlist.status(now).about?.entries, 1)
  await importText(directory, heading, { allowShrink: true })
  t.equal(hotlist.status(now).about?.entries, 0)
})

test('the generation before is kept for one step back, and the next import gets a number of its own', async t => {
  const directory = t.testdir()
  for (const from of [0, 1000, 2000]) await importText(directory, list(10, from))
  const files = readdirSync(join(directory, 'city')).filter(name => name.startsWith('generation-'))
  t.match(files.sort(), [/^generation-00000002-/, /^generation-00000003-/])
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.equal(stepBack(directory, 'city', now).number, 2)
  t.equal(hotlist.find('TST1005', now).candidates.length, 1)
  t.equal(hotlist.find('TST2005', now).candidates.length, 0)
  t.throws(() => stepBack(directory, 'city', now), { code: 'PW_HOTLIST_NO_PREVIOUS' })
  t.equal((await importText(directory, list(10, 3000))).generation, 4)
  t.throws(() => stepBack(directory, 'other', now), { code: 'PW_HOTLIST_ABSENT' })
})

test('what cannot be imported gives an error with its code and leaves nothing behind', async t => {
  const directory = t.testdir()
  await importText(directory, list(10))
  const fails = (some: Some, source: string | Readable) =>
    codeOf(importHotlist({ listName: 'city', directory, mapping: 'plain', now, ...some, source }))
  t.equal(await fails({}, join(directory, 'nothing.csv')), 'PW_HOTLIST_SOURCE')
  t.equal(await fails({}, directory), 'PW_HOTLIST_SOURCE')
  t.equal(await fails({ listName: '../city' }, 'x'), 'PW_HOTLIST_NAME')
  const broken = new Readable({ read: () => broken.destroy(new Error('cable')) })
  t.equal(await fails({}, broken), 'PW_HOTLIST_SOURCE')
  t.equal(await fails({}, Readable.from([Buffer.from('"plate\n')])), 'PW_HOTLIST_MAPPING')
  const { order: _, ...unordered } =
    hotlistPresets.genetec.layout === 'delimited' ? hotlistPresets.genetec : { order: 0 }
  const mapping = hotlistMappingSchema.parse(unordered)
  t.equal(await fails({ mapping }, Readable.from([Buffer.from('a;b\nc;d\n')])), 'PW_HOTLIST_MAPPING')
  const unlock = lockFolder(join(directory, 'city'), 'city')
  t.equal(await fails({}, Readable.from([Buffer.from(list(10))])), 'PW_HOTLIST_BUSY')
  unlock()
  writeFileSync(join(directory, 'a-file'), '')
  t.equal(await fails({ directory: join(directory, 'a-file') }, 'x'), 'PW_HOTLIST_BUILD_FAILED')
  const stop = new AbortController()
  const aborted = fails({ signal: stop.signal, onProgress: () => stop.abort() }, Readable.from([Buffer.from(list(10))]))
  t.match(await aborted, /AbortError/)
  t.notMatch(readdirSync(join(directory, 'city')).join(), /building|link-/)
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.equal(hotlist.status(now).about?.generation, 1)
})

test('no plate is in any error, warning, progress or report', async t => {
  const secret = 'QXJ4O77'
  const directory = t.testdir()
  const said: unknown[] = []
  const listen = { onProgress: (p: unknown) => said.push(p), onRefused: (r: unknown) => said.push(r) }
  const texts = [
    `${heading}${secret},PA,stolen,2026-12-31,${secret}\nQXJ4077,PA,stolen,2026-12-31,QXJ-4O77/1\nQXJ-4077,PA,stolen,2026-12-31,id ${secret}\n`,
    `${heading}${secret},PA,,2026-12-31,a\n`,
    `${heading}${secret}?,PA,stolen,2026-12-31,a\n`,
    `${heading}${secret},PA,stolen,${secret},a\n`,
    `${secret}\n`,
    `"${secret}\n`,
    `${heading}"${secret}\n`,
    `${heading}"${secret}"x\n`,
  ]
  for (const text of texts) {
    await importText(directory, text, listen).then(
      result => said.push(result),
      (error: PolewatchError) =>
        said.push(error.message, error.advice, error.stack, error.details, String(error.cause)),
    )
  }
  const hotlist = Hotlist.open(directory, 'city')
  t.equal(hotlist.find(secret, now).candidates.length, 3)
  said.push(hotlist.status(now))
  hotlist.close()
  const all = JSON.stringify(said).replace(/[^0-9A-Z]/gi, '')
  t.notMatch(all, secret)
  t.match(JSON.stringify(said), 'show the plate')
})

test('delimited text comes back as it was written, whatever is in it and wherever it is cut', async () => {
  const signs = fc.constantFrom(...'ab,;:\t" \r\n0é')
  const field = fc.string({ unit: signs, maxLength: 6 })
  const records = fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 6 })
  fc.assert(
    fc.property(
      records,
      fc.constantFrom(...delimiters),
      fc.boolean(),
      fc.boolean(),
      fc.infiniteStream(fc.nat(5)),
      (written, delimiter, returns, lastEnd, cuts) => {
        const end = returns ? '\r\n' : '\n'
        const lines = written.map(fields => fields.map(one => quote(one, delimiter)).join(delimiter))
        const text = lines.join(end) + (lastEnd && lines.length > 0 ? end : '')
        const read: { fields: readonly string[]; line: number }[] = []
        const parser = new DelimitedParser(delimiter, {
          record: (fields, line) => read.push({ fields, line }),
          broken: (line, reason) => assert.fail(`line ${line}: ${reason}`),
        })
        for (let at = 0; at < text.length; ) {
          const size = cuts.next().value
          parser.push(text.slice(at, at + size))
          at += size
        }
        parser.end()
        assert.deepEqual(
          read.map(record => record.fields),
          written,
        )
        let line = 1
        for (const [index, record] of read.entries()) {
          assert.equal(record.line, line)
          line += (lines[index] ?? '').split('\n').length
        }
      },
    ),
    { numRuns: 500 },
  )
})

test('any text at all gives records or named broken lines, the same ones however it is cut', async t => {
  const text = fc.string({ unit: fc.constantFrom(...'a,"\r\n\ufeff'), maxLength: 40 })
  const parse = (all: string, size: number, make: 'delimited' | 'fixed') => {
    const seen: unknown[] = []
    const handler = {
      record: (fields: readonly string[], line: number) => void seen.push([line, fields]),
      broken: (line: number, reason: string) => void seen.push([line, reason]),
    }
    const parser =
      make === 'delimited'
        ? new DelimitedParser(',', handler)
        : new FixedWidthParser([{ start: 2, length: 2 }], handler)
    for (let at = 0; at < all.length; at += size) parser.push(all.slice(at, at + size))
    parser.end()
    return seen
  }
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 9 }), fc.constantFrom('delimited', 'fixed'), (all, size, make) => {
      assert.deepEqual(parse(all, size, make), parse(all, 1000, make))
    }),
    { numRuns: 1000 },
  )
  t.same(parse('ab"\n,xyz\r\n\na', 3, 'fixed'), [
    [1, ['b"']],
    [2, ['xy']],
    [4, ['']],
  ])
})

function quote(field: string, delimiter: Delimiter): string {
  const plain = field !== '' && !field.includes(delimiter) && !/["\r\n]/.test(field)
  return plain ? field : `"${field.replaceAll('"', '""')}"`
}
