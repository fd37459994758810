import { chmodSync, readFileSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { test } from 'tap'
import { Hotlist } from '../../gateway/hotlist/hotlist.js'
import { importHotlist } from '../../gateway/hotlist/import.js'
import { everyStage, importAfter, type Kill, killOnce, prepare } from '../../scripts/hotlist/kill-import.js'
import { checkWhole, csv, entries, now, plateOf } from '../../scripts/hotlist/purposeful-list.js'

const importList = (directory: string, purpose: string, validFor?: number) =>
  importHotlist({
    listName: 'city',
    directory,
    source: Readable.from([Buffer.from(csv(purpose))]),
    mapping: 'plain',
    now,
    ...(validFor === undefined ? {} : { validFor }),
  })

test('kill -9 at every stage of an import or a change, and at any moment, leaves one whole list; readers never notice', async t => {
  const kills: Kill[] = [...everyStage, ...Array.from({ length: 5 }, () => ({ after: Math.random() * 800 }))]
  // Two lists side by side, each killed at every other moment.
  const directories = [join(t.testdir({ even: {}, odd: {} }), 'even'), join(t.testdirName, 'odd')]
  await Promise.all(
    directories.map(async (directory, lane) => {
      await prepare(directory)
      const reader = Hotlist.open(directory, 'city')
      for (const kill of kills.filter((_, index) => index % 2 === lane)) {
        const list = await killOnce(directory, reader, kill)
        t.match(list, /^(first|odd|even|changed)$/, `one whole list after ${JSON.stringify(kill)}`)
      }
      t.same(
        (await importAfter(directory, reader)).filter(name => name !== 'deltas.json'),
        ['current', 'generation', 'generation', 'lock'],
        'nothing of a killed import is left',
      )
      reader.close()
    }),
  )
})

test('a reader goes over to a new list between two look-ups, and keeps its list when the new one cannot be read', async t => {
  const directory = t.testdir()
  t.throws(() => Hotlist.open(directory, 'city'), { code: 'PW_HOTLIST_ABSENT' })
  const reader = Hotlist.open(directory, 'city', { mayBeUnusable: true })
  t.teardown(() => reader.close())
  t.match(reader.find(plateOf(1), now), { freshness: 'absent', candidates: [], entries: 0 })
  await importList(directory, 'first')
  t.equal(checkWhole(reader, 100), 'first')
  await importList(directory, 'second')
  t.equal(checkWhole(reader, 100), 'second')

  const folder = join(directory, 'city')
  const { sha256 } = await importList(directory, 'third')
  const third = join(folder, readlinkSync(join(folder, 'current')))
  const whole = readFileSync(third)
  chmodSync(third, 0o640)
  writeFileSync(third, whole.subarray(0, 5000))
  t.equal(checkWhole(reader, 100), 'second', 'the list that it had')
  t.match(reader.status(now), { newerUnreadable: true, about: { generation: 2 } })
  t.throws(() => Hotlist.open(directory, 'city'), { code: 'PW_HOTLIST_DAMAGED' })
  writeFileSync(third, 'no database')
  t.throws(() => Hotlist.open(directory, 'city'), { code: 'PW_HOTLIST_DAMAGED' })

  const fourth = await importList(directory, 'fourth')
  t.match(fourth.warnings, [{ kind: 'previous-damaged' }])
  t.equal(checkWhole(reader, 100), 'fourth')
  t.match(reader.status(now), { newerUnreadable: false, sha256: fourth.sha256 })
  t.not(fourth.sha256, sha256)

  renameSync(join(folder, 'current'), join(folder, 'was-current'))
  t.match(reader.find(plateOf(1), now), { freshness: 'absent', candidates: [] }, 'a list that was removed')
})

test('damage inside a list is an error with a code, not an empty answer', async t => {
  const directory = t.testdir()
  await importList(directory, 'first')
  const file = join(directory, 'city', readlinkSync(join(directory, 'city', 'current')))
  const bytes = readFileSync(file)
  rmSync(file)
  // What opening reads stays (the first pages and the small tables); the pages of the index are overwritten.
  writeFileSync(
    file,
    bytes.map((byte, index) => (index > 4096 * 8 && index < bytes.length - 4096 * 8 ? 0x55 : byte)),
  )
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  t.throws(
    () => {
      for (let index = 0; index < entries; index++) hotlist.find(plateOf(index), now)
    },
    { code: 'PW_HOTLIST_DAMAGED' },
  )
})

test('a list that is stale, or newer than the clock, matches nothing and says so', async t => {
  const directory = t.testdir()
  await importList(directory, 'first', 3600)
  const hotlist = Hotlist.open(directory, 'city')
  t.teardown(() => hotlist.close())
  const freshness = (at: number) => {
    const { freshness, candidates } = hotlist.find(plateOf(1), at)
    t.equal(candidates.length > 0, freshness === 'fresh')
    t.equal(hotlist.findOneEdit(plateOf(1), at).freshness, freshness)
    t.equal(hotlist.status(at).freshness, freshness)
    return freshness
  }
  t.equal(freshness(now), 'fresh')
  t.equal(freshness(now + 3599), 'fresh')
  t.equal(freshness(now + 3600), 'stale')
  t.equal(freshness(now - 3600), 'fresh', 'clocks may differ a little')
  t.equal(freshness(now - 2 * 86_400), 'clock-behind')
  t.equal(freshness(Number.NaN), 'stale', 'no time, no match')
  const aged = Hotlist.open(directory, 'city', { maximumAge: 60 })
  t.teardown(() => aged.close())
  t.equal(aged.find(plateOf(1), now + 60).freshness, 'fresh')
  t.equal(aged.find(plateOf(1), now + 61).freshness, 'stale')
  await importList(directory, 'second')
  t.equal(freshness(now + 1e9), 'fresh', 'a list without an end of its own, whose entries still expire')
})
