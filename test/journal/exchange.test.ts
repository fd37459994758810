import { mkdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { Bell, newsOf, watchBells } from '../../gateway/journal/bell.js'
import { Delivery, DeliveryReader } from '../../gateway/journal/delivery.js'
import { Exchange, ExchangeReader } from '../../gateway/journal/exchange.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { draft, folder, newPaths, openJournal } from './drafts.js'

const root = folder()
const newPath = newPaths(root)
const clock = (): number => 1_545_180_568.25

test('other roles may read a file through their group, whatever the mask of the process that makes it', t => {
  const path = newPath()
  const mask = process.umask(0o077)
  const exchange = Exchange.open({ path, clock })
  exchange.post('arrival', 'one')
  process.umask(mask)
  for (const ending of ['', '-wal', '-shm']) t.equal(statSync(`${path}${ending}`).mode & 0o777, 0o640, ending)
  exchange.close()
  t.end()
})

test('posts are read in order and once, by kind or all, through a cursor that is plain data', async t => {
  const path = newPath()
  const reader = new ExchangeReader(path)
  t.same(reader.after(undefined), { cursor: undefined, posts: [], restarted: false, missed: 0 }, 'no file is no fault')
  t.equal(reader.get('status'), undefined)
  t.equal(reader.version(), undefined)

  const exchange = Exchange.open({ path, clock })
  t.same(reader.after(undefined).posts, [])
  for (let count = 1; count <= 10; count += 1) exchange.post(count % 2 === 0 ? 'claim' : 'arrival', `number ${count}`)
  const first = reader.after(undefined, ['arrival'], 3)
  t.same(
    first.posts.map(({ body }) => body.toString()),
    ['number 1', 'number 3', 'number 5'],
  )
  t.match(first.posts[0], { number: 1, kind: 'arrival', postedAt: clock() })
  const second = reader.after(JSON.parse(JSON.stringify(first.cursor)), ['arrival'], 3)
  t.same(
    second.posts.map(({ number }) => number),
    [7, 9],
  )
  t.equal(second.cursor?.number, 10, 'other kinds are passed over for good')
  t.same(reader.after(second.cursor, ['arrival', 'claim']), {
    cursor: second.cursor,
    posts: [],
    restarted: false,
    missed: 0,
  })
  exchange.post('claim', Uint8Array.of(0, 255))
  t.same(
    reader.after(second.cursor).posts.map(({ body }) => [...body]),
    [[0, 255]],
  )
  reader.close()
  exchange.close()
})

test('an exchange drops its oldest posts beyond its rows or bytes, and reader and writer count them', async t => {
  const path = newPath()
  const reader = new ExchangeReader(path)
  const exchange = Exchange.open({ path, clock, rowLimit: 5, byteLimit: 1000 })
  exchange.post('arrival', 'x')
  const { cursor } = reader.after(undefined)
  for (let count = 2; count <= 8; count += 1) exchange.post('arrival', 'x')
  t.equal(exchange.dropped, 3)
  const late = reader.after(cursor)
  t.same(
    late.posts.map(({ number }) => number),
    [4, 5, 6, 7, 8],
  )
  t.equal(late.missed, 2, 'numbers 2 and 3 were gone before they were read')
  exchange.post('arrival', Buffer.alloc(999))
  t.same(
    reader.after(undefined).posts.map(({ number }) => number),
    [8, 9],
  )
  exchange.post('arrival', Buffer.alloc(5000))
  t.same(
    reader.after(undefined).posts.map(({ number }) => number),
    [10],
    'a body beyond the limit is held alone',
  )
  for (let count = 0; count < 200; count += 1) exchange.post('arrival', 'x')
  t.equal(exchange.dropped, 205)
  t.equal(reader.after(undefined).posts.length, 5)
  reader.close()
  exchange.close()
})

test('a latest value is replaced and removed, and a version tells that something changed', async t => {
  const path = newPath()
  const reader = new ExchangeReader(path)
  const exchange = Exchange.open({ path, clock })
  exchange.set('status', '{"sound":true}')
  const version = reader.version()
  t.equal(reader.version(), version, 'nothing new')
  exchange.set('status', '{"sound":false}')
  t.not(reader.version(), version)
  t.same(reader.get('status'), { body: Buffer.from('{"sound":false}'), setAt: clock() })
  exchange.set('status', null)
  t.equal(reader.get('status'), undefined)
  reader.close()
  exchange.close()
})

test('a writer that starts anew is noticed, whatever state it left its file in', async t => {
  const path = newPath()
  const reader = new ExchangeReader(path)
  const first = Exchange.open({ path, clock })
  t.throws(() => Exchange.open({ path, clock }), { code: 'PW_JOURNAL_IN_USE' })
  first.post('arrival', 'before')
  first.set('status', 'before')
  const { cursor } = reader.after(undefined)
  first.close()
  const second = Exchange.open({ path, clock })
  second.post('arrival', 'after')
  const batch = reader.after(cursor)
  t.match(batch, { restarted: true, missed: 0, cursor: { generation: second.generation, number: 1 } })
  t.same(
    batch.posts.map(({ body }) => body.toString()),
    ['after'],
  )
  t.match(reader.after(batch.cursor), { restarted: false, posts: [] })
  t.equal(reader.get('status'), undefined, 'nothing survives')
  second.close()
  writeFileSync(path, 'garbage '.repeat(1000))
  const third = Exchange.open({ path, clock })
  t.match(reader.after(batch.cursor), { restarted: true, posts: [] })
  reader.close()
  third.close()
})

test('acknowledgements are kept across restarts, never go back, and reach the owner of the journal', async t => {
  const path = newPath()
  const reader = new DeliveryReader(path)
  t.equal(reader.acknowledged('/a', 'one'), 0, 'no file, nothing acknowledged')
  const delivery = Delivery.open({ path, clock, quietDelay: 0.02 })
  delivery.acknowledge('/a', 'one', 7)
  delivery.acknowledge('/a', 'one', 5)
  delivery.acknowledge('/a', 'two', 1)
  t.equal(delivery.acknowledged('/a', 'one'), 7)
  t.equal(reader.acknowledged('/a', 'one'), 0, 'written later')
  while (reader.acknowledged('/a', 'two') === 0) await new Promise(resolve => setTimeout(resolve, 10))
  t.equal(reader.acknowledged('/a', 'one'), 7)
  t.throws(() => Delivery.open({ path, clock }), { code: 'PW_JOURNAL_IN_USE' })
  delivery.forget('/a', 'two')
  delivery.acknowledge('/b', 'one', 2)
  delivery.close()

  const again = Delivery.open({ path, clock })
  t.same([again.acknowledged('/a', 'one'), again.acknowledged('/a', 'two'), again.acknowledged('/b', 'one')], [7, 0, 2])
  again.close()

  writeFileSync(path, 'garbage '.repeat(1000))
  t.throws(() => reader.acknowledged('/a', 'one'), { code: 'PW_JOURNAL_UNREADABLE' })
  const damaged: string[] = []
  const anew = Delivery.open({ path, clock, onDamage: ({ code }) => damaged.push(code) })
  t.same(damaged, ['PW_JOURNAL_DAMAGED'])
  t.equal(anew.acknowledged('/a', 'one'), 0)
  t.equal(reader.acknowledged('/a', 'one'), 0)
  anew.close()
  reader.close()
})

test('acknowledgements that cannot be written are kept in memory and written when they can be', async t => {
  const path = join(newPath(), 'delivery.db')
  writeFileSync(dirname(path), 'a file where the folder should be')
  const faults: (string | null)[] = []
  const delivery = Delivery.open({ path, clock, onFault: fault => faults.push(fault?.code ?? null) })
  delivery.acknowledge('/a', 'one', 3)
  delivery.flush()
  t.equal(delivery.acknowledged('/a', 'one'), 3)
  t.same(faults, ['PW_JOURNAL_DISK_FAILED', 'PW_JOURNAL_DISK_FAILED'])
  rmSync(dirname(path))
  delivery.flush()
  t.same(faults.at(-1), null)
  const reader = new DeliveryReader(path)
  t.equal(reader.acknowledged('/a', 'one'), 3)
  reader.close()
  delivery.close()
})

test('a thousand streams of dead epochs are the most that is remembered, the longest unchanged goes', async t => {
  let now = 0
  const path = newPath()
  const options = {
    path,
    clock: () => {
      now += 1
      return now
    },
  }
  const delivery = Delivery.open(options)
  for (let count = 0; count < 1005; count += 1) delivery.acknowledge('/a', `epoch ${count}`, 1)
  delivery.close()
  const again = Delivery.open(options)
  t.same(
    [4, 5, 1004].map(count => again.acknowledged('/a', `epoch ${count}`)),
    [0, 1, 1],
  )
  again.close()
})

test('a reader learns of a committed alert through the bell, without waiting for a poll', async t => {
  const runtime = join(root, 'runtime')
  const path = newPath()
  const bell = join(runtime, 'sensing.bell')
  const journal = openJournal(path, { onBell: () => new Bell(bell).ring() })
  const reader = new JournalReader(path)
  const stop = new AbortController()
  const seen: { rung: string[]; last: number }[] = []
  let arrived = (): void => {}
  const watching = watchBells(
    runtime,
    bells => {
      seen.push({ rung: [...bells], last: reader.streams()[0]?.lastSequence ?? 0 })
      arrived()
    },
    // The folder is made by the first ring; a poll finds it, and after that only bells matter.
    { signal: stop.signal, poll: 0.25 },
  )
  const until = async (last: number): Promise<void> => {
    while ((seen.at(-1)?.last ?? 0) < last) {
      await new Promise<void>(resolve => {
        arrived = resolve
      })
    }
  }
  await journal.append(draft('gunfire'))
  await until(1)
  // A poll has seen the folder by now or does so at its next turn; from then on bells alone bring the news.
  while (!seen.some(({ rung }) => rung.includes('sensing'))) {
    const { sequence } = await journal.append(draft('gunfire'))
    await until(sequence)
  }
  t.ok(statSync(bell).size === 0, 'the bell is an empty file')
  stop.abort()
  await watching
  reader.close()
  journal.close()
})

test('a reader takes from the bell what a commit stored, and looks into the file wherever that may not be all', async t => {
  const folder = join(root, 'told')
  mkdirSync(folder)
  const path = newPath()
  const file = join(folder, 'sensing.bell')
  const bell = new Bell(file)
  bell.ring()
  const journal = openJournal(path, { onBell: news => bell.ring(news) })
  const reader = new JournalReader(path)
  const fresh = () => {
    const other = new JournalReader(path)
    const alerts = other.streams().flatMap(({ source, epoch }) => other.read(source, epoch, 0, 100))
    other.close()
    return alerts
  }
  const heard = () => {
    reader.heard(file)
    return reader.streams().flatMap(({ source, epoch }) => reader.read(source, epoch, 0, 100))
  }
  await journal.append(draft('gunfire'))
  t.same(heard(), fresh())

  const asStored = async (afterwards: () => unknown) => {
    await journal.append(draft('gunfire'))
    await afterwards()
    t.same(heard(), fresh(), afterwards.toString())
  }
  await asStored(() => {})
  await asStored(() => bell.ring())
  await asStored(() => truncateSync(file, statSync(file).size - 1))
  await asStored(() =>
    writeFileSync(
      file,
      readFileSync(file).map((byte, index) => (index === 40 ? byte ^ 1 : byte)),
    ),
  )
  await asStored(() => journal.append(draft('hit')))
  await asStored(() => journal.record({ action: 'access', subject: 'somebody' }))
  await asStored(() => Promise.all([journal.append(draft('hit')), journal.append(draft('fault'))]))
  await asStored(() => journal.append(draft('gunfire', 100_000)))
  await asStored(() => journal.purge((_, of) => (of === journal.epoch ? 3 : 0)))
  t.same(heard(), fresh())

  const { epoch, sequence, source } = await journal.append(draft('gunfire', 300))
  const news = newsOf(file, process.getuid?.() ?? 0)
  t.match(news?.alerts, [{ epoch, sequence, source }], 'all of it is on the bell')
  t.equal(newsOf(file, 4711), null, 'which only the owner of the journal can have written')
  if (news !== null) {
    const [alert] = news.alerts
    bell.ring({ ...news, alerts: alert === undefined ? [] : [{ ...alert, bytes: Buffer.from('from the bell alone') }] })
    reader.heard(file)
    reader.streams()
    t.equal(
      reader.read(source, epoch, sequence - 1, 1)[0]?.bytes.toString(),
      'from the bell alone',
      'and is not looked up',
    )
  }
  await new Promise(resolve => setTimeout(resolve, 1300))
  t.equal(statSync(file).size, 0, 'for a second')
  await journal.append(draft('gunfire'))
  t.ok(statSync(file).size > 0)
  new Bell(file).close()
  t.equal(statSync(file).size, 0, 'and what a crash leaves there until the next start')
  bell.close()
  reader.close()
  journal.close()
})

test('rings of one turn are one call, and calls never overlap', async t => {
  const runtime = join(root, 'bells')
  mkdirSync(runtime)
  const stop = new AbortController()
  const calls: string[][] = []
  let running = 0
  let release = (): void => {}
  const watching = watchBells(
    runtime,
    async bells => {
      running += 1
      if (running > 1) t.fail('two calls at once')
      if (bells.size > 0) {
        calls.push([...bells].sort())
        if (calls.length === 1) {
          for (let count = 0; count < 50; count += 1) new Bell(join(runtime, 'uplink.bell')).ring()
          writeFileSync(join(runtime, 'other'), 'no bell')
          setTimeout(() => release(), 50)
          await new Promise<void>(resolve => {
            release = resolve
          })
        } else stop.abort()
      }
      running -= 1
    },
    { signal: stop.signal, poll: 60 },
  )
  await new Promise(resolve => setImmediate(resolve))
  new Bell(join(runtime, 'sensing.bell')).ring()
  new Bell(join(runtime, 'sensing.bell')).ring()
  new Bell(join(runtime, 'vision.bell')).ring()
  await watching
  t.same(calls, [['sensing', 'vision'], ['uplink']])
})

test('watching survives the loss of its folder, and ends with what its listener throws', async t => {
  const runtime = join(root, 'lost')
  mkdirSync(runtime)
  const stop = new AbortController()
  const watching = watchBells(
    runtime,
    bells => {
      if (bells.has('vision')) throw new Error('listener')
    },
    { signal: stop.signal, poll: 0.02 },
  )
  await new Promise(resolve => setTimeout(resolve, 50))
  renameSync(runtime, `${runtime}-away`)
  mkdirSync(runtime)
  const ringing = setInterval(() => new Bell(join(runtime, 'vision.bell')).ring(), 20)
  await t.rejects(watching, /listener/)
  clearInterval(ringing)
  new Bell(join(root, '1.journal.db', 'in a file', 'sensing.bell')).ring()
  t.pass("a bell that cannot be rung is nobody's fault")
})
