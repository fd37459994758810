import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'tap'
import { verifyChain } from '../../gateway/journal/audit.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { bytesOf, draft, folder, newPaths, openJournal } from './drafts.js'

const root = folder()
const newPath = newPaths(root)
const inMemory = newPaths(folder(existsSync('/dev/shm') ? '/dev/shm' : undefined))
const script = (name: string): string => fileURLToPath(new URL(`./${name}.js`, import.meta.url))

/** Runs a writer until it has confirmed so many alerts, kills it, and gives what it had confirmed. */
async function writeUntilKilled(path: string, byteLimit: number, confirmations: number) {
  const child = spawn(process.execPath, [script('endless-writer'), path, String(byteLimit)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', chunk => {
    text += String(chunk)
    if (text.split('\n').length > confirmations) child.kill('SIGKILL')
  })
  await once(child, 'close')
  const lines = text.split('\n').slice(0, -1)
  const epoch = lines[0]?.replace('epoch ', '') ?? ''
  const confirmed = lines.slice(1).flatMap(line => {
    const [sequence, source] = line.split(' ')
    return sequence === 'refused' || source === undefined ? [] : [{ source, sequence: Number(sequence) }]
  })
  return { epoch, confirmed }
}

test('what a writer confirmed before it was killed is there, contiguous and unaltered, kill after kill', async t => {
  const path = newPath()
  const source = '/harbour/pole-17/sensing/gunfire'
  let epochs = new Set<string>()
  let highest = 0
  for (let kill = 0; kill < 4; kill += 1) {
    const { epoch, confirmed } = await writeUntilKilled(path, 64 * 1024 * 1024, 10 + kill * 17)
    epochs = epochs.add(epoch)
    const gunfire = confirmed.filter(position => position.source === source).map(({ sequence }) => sequence)
    t.ok(gunfire.length > 0, 'the writer got somewhere')
    t.ok((gunfire[0] ?? 0) > highest, 'no number is given out twice')
    highest = gunfire.at(-1) ?? 0
    const reader = new JournalReader(path)
    const held = reader.read(source, epoch, 0, 100_000)
    t.same(
      held.map(({ sequence }) => sequence),
      Array.from(held, (_, index) => index + 1),
      'contiguous',
    )
    t.ok(held.length >= highest, `${held.length} are held of ${highest} confirmed`)
    t.ok(held.every(alert => alert.bytes.equals(bytesOf(alert, alert.bytes.length))))
    reader.close()
    t.match(verifyChain(path), { valid: true })
  }
  t.equal(epochs.size, 1, 'a kill begins no new epoch')
})

test('a writer killed while it sheds and purges leaves every number held, named as shed, or purged', async t => {
  const path = newPath()
  const byteLimit = 30_000
  for (let kill = 0; kill < 2; kill += 1) {
    const { epoch } = await writeUntilKilled(path, byteLimit, 120)
    const journal = openJournal(path, { byteLimit })
    t.equal(journal.epoch, epoch)
    t.equal(journal.condition.setAside, null)
    t.ok(journal.held <= byteLimit)
    const reader = new JournalReader(path)
    for (const { source, firstSequence, lastSequence } of reader.streams()) {
      const held = reader.read(source, epoch, 0, 10_000).map(({ sequence }) => sequence)
      t.same(
        held,
        Array.from({ length: lastSequence - firstSequence + 1 }, (_, index) => firstSequence + index),
      )
      const named = journal.pendingShed().filter(range => range.source === source)
      if (source.endsWith('/gunfire')) {
        t.match(named, [{ firstSequence: 1, lastSequence: firstSequence - 1 }], 'what is not held was named')
      }
    }
    reader.close()
    journal.close()
    t.match(verifyChain(path), { valid: true })
  }
})

test('on a full disk a gunshot takes the place of what matters less, and a read-only disk stops nobody from starting', async t => {
  const mounted = join(root, 'mounted')
  mkdirSync(mounted)
  const child = spawn('unshare', ['--mount', '--map-root-user', process.execPath, script('small-disk'), mounted], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let complaints = ''
  child.stdout.on('data', chunk => {
    output += String(chunk)
  })
  child.stderr.on('data', chunk => {
    complaints += String(chunk)
  })
  await once(child, 'close')
  if (output === '') {
    t.pass('a disk that is full', { skip: `no disk can be mounted here: ${complaints.trim()}` })
    return
  }
  const steps = output
    .trim()
    .split('\n')
    .map((line): { step: string; result: unknown; fault: string | null } => JSON.parse(line))
  const step = (name: string) => steps.find(candidate => candidate.step === name)
  const stored = Number(step('full')?.result)
  t.ok(stored > 50, `${stored} fitted${complaints}`)
  t.match(step('full'), { fault: 'PW_JOURNAL_DISK_FULL' })
  t.match(step('refused since'), { result: 0 }, 'new ones take the place of old ones')
  t.match(step('gunshot'), { result: 1, fault: 'PW_JOURNAL_DISK_FULL' })
  const readable = step('readable')?.result
  t.match(readable, [
    ['gunfire', 1, 1],
    ['rest', Number, stored + 300],
  ])
  t.match(step('shed'), { result: [['rest', 1, Number]] })
  t.match(step('chain'), { result: { valid: true } })
  t.match(step('begun read-only'), { fault: 'PW_JOURNAL_READ_ONLY' })
  t.match(step('read-only'), { result: 'PW_JOURNAL_READ_ONLY' })
  t.match(step('writable again'), { result: 2, fault: null })
})

test('a reader without the right to write follows a journal of another user', async t => {
  if (process.getuid?.() !== 0) {
    t.pass('a reader of another user', { skip: 'only root can become another user' })
    return
  }
  for (let folder = process.cwd(); folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) !== 0) continue
    t.pass('a reader of another user', { skip: `another user cannot enter ${folder}, where the code is` })
    return
  }
  const path = inMemory()
  const shared = dirname(path)
  execFileSync('chmod', ['0755', shared])
  const journal = openJournal(path)
  await journal.append(draft('gunfire'))
  execFileSync('chmod', ['a+r', path, `${path}-wal`, `${path}-shm`])
  // The code is loaded first: it may lie in a folder that the other user cannot enter.
  const follow = `import Database from 'better-sqlite3'
    import { JournalReader } from ${JSON.stringify(new URL('../../gateway/journal/reader.js', import.meta.url).href)}
    new Database(':memory:').close()
    process.setgroups([])
    process.setgid(65534)
    process.setuid(65534)
    const reader = new JournalReader(${JSON.stringify(path)})
    const look = () => process.stdout.write(JSON.stringify(reader.streams().map(({ lastSequence }) => lastSequence)) + '\\n')
    look()
    process.stdin.on('data', look).on('end', () => reader.close())`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', follow], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = child.stdout[Symbol.asyncIterator]()
  t.equal(String((await lines.next()).value), '[1]\n')
  await journal.append(draft('gunfire'))
  child.stdin.write('look')
  t.equal(String((await lines.next()).value), '[2]\n')
  child.stdin.end()
  await once(child, 'close')
  journal.close()

  // The owner has closed it just when the reader had seen its log: in a folder like the runtime folder, nobody else could remove what the reader makes.
  execFileSync('chmod', ['1777', shared])
  execFileSync('touch', [`${path}-wal`])
  const late = spawn(process.execPath, ['--input-type=module', '--eval', follow], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const [said] = await once(late.stdout, 'data')
  t.equal(String(said), '[]\n', 'it is closed')
  t.notOk(existsSync(`${path}-shm`), 'and nothing of the reader is left that would keep the owner out')
  late.stdin.end()
  await once(late, 'close')
})
