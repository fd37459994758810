import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { test } from 'tap'
import { PolewatchError } from '../../gateway/errors.js'
import { parseDate } from '../../gateway/hotlist/dates.js'
import { openDelta, signDelta } from '../../gateway/hotlist/delta-file.js'
import { type NewEntry, refusalReasons } from '../../gateway/hotlist/entries.js'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { importHotlist } from '../../gateway/hotlist/import.js'
import { type HotlistMapping, hotlistMappingSchema, hotlistPresets } from '../../gateway/hotlist/mapping.js'
import { readSource } from '../../gateway/hotlist/source.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { normalisePlate } from '../../gateway/plates/text.js'

const now = Date.UTC(2026, 2, 1, 12) / 1000
const fixedWidth = hotlistMappingSchema.parse({
  layout: 'fixed-width',
  columns: {
    plate: { start: 1, length: 8 },
    state: { start: 9, length: 3 },
    purpose: { start: 12, length: 10 },
    expires: { start: 22, length: 10 },
  },
})
const mappings: HotlistMapping[] = [...Object.values(hotlistPresets), fixedWidth]

/** Pieces of which agencies' files are made, whole and broken, with bytes of any kind between. */
const piece = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom('ABC1234', 'AB-123', 'PA', 'stolen', '2026-12-31', '12/31/2026', '20261231'),
  },
  { weight: 8, arbitrary: fc.constantFrom(',', ';', '\t', ':', '"', '""', '\n', '\r\n', '\r', ' ', '\ufeff', '\0') },
  {
    weight: 4,
    arbitrary: fc.constantFrom('plate', 'state', 'purpose', 'expires', 'PlateNumber;', 'Category', 'Alert'),
  },
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 8 }) },
)
const bytes = fc.oneof(
  fc.array(piece, { maxLength: 60 }).map(pieces => Buffer.from(pieces.join(''))),
  fc.uint8Array({ maxLength: 300 }).map(raw => Buffer.from(raw)),
)

function cut(content: Buffer, size: number): Readable {
  const count = Math.ceil(content.length / size)
  return Readable.from(Array.from({ length: count }, (_, index) => content.subarray(index * size, (index + 1) * size)))
}

/** What an importer makes of the bytes: each line once, as an entry or with a reason; or one error with a code. */
async function readAll(content: Buffer, mapping: HotlistMapping, size: number) {
  const accepted: NewEntry[] = []
  const refused: { line: number; reason: string }[] = []
  const rules = {
    dates: mapping.dates,
    utcOffset: 0,
    now,
    defaults: { purpose: 'other', validFor: 60 },
    purposes: null,
  }
  try {
    await readSource(cut(content, size), mapping, undefined, {
      rules,
      accept: entry => accepted.push(entry),
      refuse: (line, reason) => refused.push({ line, reason }),
      read: () => {},
    })
    return { accepted, refused, code: null }
  } catch (error) {
    assert.ok(error instanceof PolewatchError, String(error))
    return { accepted, refused, code: error.code }
  }
}

test('no bytes crash an importer; every line is an entry that is a plate, or refused by number and reason', async () => {
  await fc.assert(
    fc.asyncProperty(
      bytes,
      fc.constantFrom(...mappings),
      fc.integer({ min: 1, max: 50 }),
      async (content, mapping, size) => {
        const { accepted, refused, code } = await readAll(content, mapping, size)
        assert.deepEqual(await readAll(content, mapping, 10_000), { accepted, refused, code }, 'however it is cut')
        const lines = [...accepted, ...refused].map(({ line }) => line)
        assert.equal(new Set(lines).size, lines.length, 'each line once')
        for (const { reason } of refused) assert.ok(Object.hasOwn(refusalReasons, reason))
        for (const entry of accepted) {
          assert.deepEqual(normalisePlate(entry.text), { text: entry.text })
          assert.ok(entry.expires > now && entry.purpose !== '')
          assert.ok(entry.effective === null || entry.effective < entry.expires)
        }
      },
    ),
    { numRuns: 1500 },
  )
})

test('a whole import of any bytes gives a list that answers for exactly what it accepted, or leaves none', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'polewatch-fuzz-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  let run = 0
  await fc.assert(
    fc.asyncProperty(bytes, fc.constantFrom(...mappings), async (content, mapping) => {
      const listName = `run-${run++}`
      const { accepted } = await readAll(content, mapping, 1000)
      const outcome = await importHotlist({
        ...{ listName, directory, source: cut(content, 1000), mapping, now },
        defaults: { purpose: 'other', validFor: 60 },
      }).catch(error => error)
      if (outcome instanceof Error) {
        assert.ok(outcome instanceof PolewatchError, String(outcome))
        assert.throws(() => Hotlist.open(directory, listName), { code: 'PW_HOTLIST_ABSENT' })
        return
      }
      assert.equal(outcome.accepted, accepted.length)
      const hotlist = Hotlist.open(directory, listName)
      for (const { text, line, id } of accepted) {
        const ids = hotlist.find(text, now).candidates.map(entry => entry.id)
        assert.ok(ids.includes(id ?? `line-${line}`))
      }
      hotlist.close()
      rmSync(join(directory, listName), { recursive: true, force: true })
    }),
    { numRuns: 150 },
  )
})

test('no bytes and no change of a byte make a signed change out of one that is not', async () => {
  const key = createSigningKey()
  const change = {
    ...{ format: 'polewatch-hotlist-delta-1', list: 'city', base: { sha256: '0'.repeat(64) } },
    ...{ expires: '2026-03-02T00:00:00Z', remove: [{ plate: 'AAA0001' }], add: [] },
  }
  const { bytes: signed } = signDelta(Buffer.from(JSON.stringify(change)), key)
  const isRefused = (content: Uint8Array): void => {
    assert.throws(() => openDelta(content, 'city', [key.publicKey]), { name: 'PolewatchError' })
  }
  openDelta(signed, 'city', [key.publicKey])
  fc.assert(
    fc.property(fc.nat(signed.length - 2), fc.integer({ min: 1, max: 255 }), (at, by) => {
      const changed = Buffer.from(signed)
      changed[at] = (changed[at] ?? 0) ^ by
      isRefused(changed)
    }),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(bytes, isRefused))
  fc.assert(fc.property(fc.jsonValue(), value => isRefused(Buffer.from(JSON.stringify(value)))))
})

test('any text is a date of its own kind or none', () => {
  const signs = fc.string({ unit: fc.constantFrom(...'0123456789-/.: TZAPM+'), maxLength: 26 })
  fc.assert(
    fc.property(
      fc.oneof(signs, fc.string()),
      fc.constantFrom('year-first', 'month-first', 'day-first'),
      (text, order) => {
        const date = parseDate(text, order, 0, true)
        assert.ok(date === null || (Number.isInteger(date) && date >= 0))
      },
    ),
    { numRuns: 3000 },
  )
  return Promise.resolve()
})
