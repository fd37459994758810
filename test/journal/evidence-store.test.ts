import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { EvidenceStore } from '../../gateway/journal/evidence-store.js'

test('evidence is kept for their time and to a limit, none where none may be, and what was half written goes', t => {
  const folder = join(t.testdir({}), 'pictures')
  const clock = { now: 1_772_366_400 }
  const options = { folder, format: 'jpg' as const, clock: () => clock.now, byteLimit: 250 }
  t.equal(new EvidenceStore({ ...options, keepSeconds: 0 }).keep('a', new Uint8Array(100)), null)
  t.notOk(existsSync(folder))
  const store = new EvidenceStore({ ...options, keepSeconds: 100 })
  t.same(store.purge(), [])
  t.match(store.keep('plate-a', new Uint8Array(100)), { id: 'plate-a', bytes: 100, sha256: /^[0-9a-f]{64}$/ })
  clock.now += 60
  store.keep('plate-b', new Uint8Array(100))
  writeFileSync(join(folder, '1772366400000-plate-x.jpg.new'), 'half')
  t.same(store.purge(), [])
  t.equal(readdirSync(folder).length, 2)
  clock.now += 41
  t.equal(store.read('plate-a'), null, 'its time is over, and nobody has purged it yet')
  t.same(store.purge(), [{ id: 'plate-a', why: 'expired' }])
  store.keep('plate-c', new Uint8Array(100))
  clock.now += 1
  store.keep('plate-d', new Uint8Array(100))
  t.same(store.purge(), [{ id: 'plate-b', why: 'no-room' }], 'the oldest goes when there is too much')
  t.equal(readdirSync(folder).length, 2)
  t.end()
})

test('with a key nothing of a piece lies on the disk, and neither another key nor a file under another name opens it', t => {
  const folder = join(t.testdir({}), 'sound')
  const options = { folder, format: 'wav' as const, keepSeconds: 100, clock: () => 1_772_366_400 }
  const store = new EvidenceStore({ ...options, key: randomBytes(32) })
  const content = Buffer.from('what was said in the street that night')
  t.match(store.keep('sound-a', content), { mediaType: 'audio/wav', bytes: content.length, until: 1_772_366_500 })
  const [file = ''] = readdirSync(folder)
  t.notOk(readFileSync(join(folder, file)).includes('street'))
  t.same(store.read('sound-a'), { mediaType: 'audio/wav', content })
  t.match(store.list(), [{ id: 'sound-a', sealed: true }])
  t.throws(() => new EvidenceStore({ ...options, key: randomBytes(32) }).read('sound-a'))
  t.throws(() => new EvidenceStore(options).read('sound-a'), { message: /no key/ })
  renameSync(join(folder, file), join(folder, file.replace('sound-a', 'sound-b')))
  t.throws(() => store.read('sound-b'))
  t.end()
})
