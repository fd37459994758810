import { readFileSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { type Test, test } from 'tap'
import { consoleCertificate, consoleFingerprint } from '../../gateway/commands/console-certificate.js'
import { parseConfiguration } from '../../gateway/config/load.js'
import type { ConsoleBackend } from '../../gateway/console/backend.js'
import { keepPassPhrase, newPassPhrase, PassPhrase } from '../../gateway/console/pass-phrase.js'
import { consoleServer, encryptedServer } from '../../gateway/console/server.js'
import { PolewatchError } from '../../gateway/errors.js'

const phrase = 'right-phrase'
const host = 'localhost:8470'

/** A console whose gateway is made up, on a clock of its own. */
function madeUpConsole(t: Test, changes: Partial<ConsoleBackend> = {}) {
  const records: { subject: string; detail: Readonly<Record<string, string>> }[] = []
  let now = 1000
  const backend: ConsoleBackend = {
    site: 'test',
    gateway: 'pole-1',
    exercise: true,
    channels: new Map(),
    admits: async given => given === phrase,
    record: async (subject, detail) => records.push({ subject, detail }),
    look: () => {
      throw new Error('nobody looks in this test')
    },
    sound: () => null,
    failed: () => {},
    faults: () => [],
    accesses: () => [],
    policy: () => ['It hears.'],
    exerciseAlert: async () => 1,
    ...changes,
  }
  const { app } = consoleServer(backend, () => now)
  t.teardown(() => app.close())
  const pass = (seconds: number): void => {
    now += seconds
  }
  const signIn = (given: string, headers: Record<string, string> = {}) =>
    app.inject({
      method: 'POST',
      url: '/sign-in',
      headers: { host, origin: `http://${host}`, ...headers },
      payload: { phrase: given, who: 'number 4711', purpose: 'inspection' },
    })
  const get = (url: string, cookie?: string, headers: Record<string, string> = {}) =>
    app.inject({ url, headers: { host, ...(cookie === undefined ? {} : { cookie }), ...headers } })
  return { app, records, pass, signIn, get }
}

async function cookieOf(console: ReturnType<typeof madeUpConsole>): Promise<string> {
  const answer = await console.signIn(phrase)
  return String(answer.headers['set-cookie']).split(';')[0] ?? ''
}

test('nothing of the gateway is shown without the pass phrase, and each kind of look is one record before it is shown', async t => {
  const console = madeUpConsole(t)
  for (const url of ['/live', '/faults', '/policy', '/accesses']) t.equal((await console.get(url)).statusCode, 401, url)
  t.equal((await console.get('/policy', 'polewatch-console=forged')).statusCode, 401)
  t.strictSame(console.records, [])
  const answer = await console.signIn(phrase)
  t.match(answer.headers['set-cookie'], /^polewatch-console=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/)
  const cookie = await cookieOf(console)
  t.strictSame((await console.get('/policy', cookie)).json(), ['It hears.'])
  t.equal((await console.get('/accesses', cookie)).statusCode, 200)
  const detail = { who: 'number 4711', purpose: 'inspection' }
  t.strictSame(console.records.slice(1), [
    { subject: 'sign-in', detail },
    { subject: 'look', detail },
  ])
  await console.app.inject({ method: 'POST', url: '/sign-out', headers: { host, origin: `http://${host}`, cookie } })
  t.equal((await console.get('/policy', cookie)).statusCode, 401, 'the session is over')
  t.equal(console.records.at(-1)?.subject, 'sign-out')
})

test('over a network the page answers only where it is encrypted, and a cookie that was given there stays there', async t => {
  const console = madeUpConsole(t)
  const fromAfar = { remoteAddress: '192.168.77.20', headers: { host: '192.168.77.1:8470' } }
  const clear = await console.app.inject({ url: '/', ...fromAfar })
  t.match({ status: clear.statusCode, body: clear.body }, { status: 403, body: /in the clear/ })
  t.equal((await console.app.inject({ url: '/', headers: { host } })).statusCode, 200)

  const folder = t.testdir({ keys: {} })
  const configuration = parseConfiguration(
    `version: 1
site: test
gateway: { id: pole-1, position: { latitude: 41.88, longitude: -87.63, altitude: 5, error: 1 } }
paths: { state: ${folder}, runtime: ${folder} }
uplink: { brokers: ['mqtt://127.0.0.1:1883'], acknowledge: broker }
`,
    join(folder, 'polewatch.yaml'),
  )
  const now = Date.now() / 1000
  t.throws(() => consoleFingerprint(configuration), { code: 'PW_KEY_FILE' })
  const made = consoleCertificate(configuration, now)
  t.same(consoleCertificate(configuration, now), made, 'it is made once')
  t.equal(statSync(join(folder, 'keys', 'console-tls.key')).mode & 0o777, 0o600)
  t.notSame(consoleCertificate(configuration, now + 780 * 86_400), made, 'and again before it ends')

  const certificate = consoleCertificate(configuration, now)
  await console.app.ready()
  const server = encryptedServer(console.app, certificate)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : 0
  const origin = `https://127.0.0.1:${port}`
  const signIn = (from: string, maxVersion: 'TLSv1.3' | 'TLSv1.2') =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', origin: from }
      const asking = request(`${origin}/sign-in`, { method: 'POST', headers, maxVersion, rejectUnauthorized: false })
      asking.once('response', answer => {
        const socket = answer.socket
        if (socket instanceof TLSSocket)
          t.equal(socket.getPeerCertificate().fingerprint256, consoleFingerprint(configuration))
        resolve(answer.resume())
      })
      asking.once('error', reject)
      asking.end(JSON.stringify({ phrase, who: 'number 4711', purpose: 'inspection' }))
    })
  const answer = await signIn(origin, 'TLSv1.3')
  t.equal(answer.statusCode, 200)
  t.match(answer.headers['set-cookie'], [/SameSite=Strict; Secure$/])
  t.equal((await signIn(origin.replace('https', 'http'), 'TLSv1.3')).statusCode, 403, 'from a page in the clear')
  await t.rejects(signIn(origin, 'TLSv1.2'))
})

test('what cannot be recorded is not shown', async t => {
  let full = false
  const console = madeUpConsole(t, {
    record: async () => {
      if (full) throw new PolewatchError('PW_JOURNAL_DISK_FULL', { file: 'console.journal.db' })
    },
  })
  const cookie = await cookieOf(console)
  full = true
  const answer = await console.get('/policy', cookie)
  t.equal(answer.statusCode, 503)
  t.match(answer.json(), { code: 'PW_JOURNAL_DISK_FULL', why: /disk is full/ })
  t.notMatch(answer.body, 'It hears.')
  t.equal((await console.signIn(phrase)).statusCode, 503)
})

test('guessing is slowed down for everybody at once, and every wrong try is recorded', async t => {
  const console = madeUpConsole(t)
  for (let count = 0; count < 5; count += 1) t.equal((await console.signIn(`wrong-${count}`)).statusCode, 401)
  const refused = await console.signIn(phrase)
  t.equal(refused.statusCode, 429, 'even the right one has to wait')
  const wait = Number(refused.headers['retry-after'])
  t.ok(wait > 0 && wait <= 12)
  t.equal(console.records.filter(({ subject }) => subject === 'sign-in-refused').length, 5)
  t.notMatch(JSON.stringify(console.records), 'wrong-', 'what was tried is recorded nowhere')
  console.pass(wait)
  t.equal((await console.signIn(phrase)).statusCode, 200)
})

test('a session ends when nobody is there, and after a working day', async t => {
  const console = madeUpConsole(t)
  const cookie = await cookieOf(console)
  console.pass(29 * 60)
  t.equal((await console.get('/policy', cookie)).statusCode, 200)
  console.pass(31 * 60)
  t.equal((await console.get('/policy', cookie)).statusCode, 401)
  const other = await cookieOf(console)
  for (let minutes = 0; minutes < 8 * 60; minutes += 20) {
    t.equal((await console.get('/policy', other)).statusCode, 200)
    console.pass(20 * 60)
  }
  console.pass(1)
  t.equal((await console.get('/policy', other)).statusCode, 401)
})

test("another site's page and another name for this address are refused, and nothing is loaded from elsewhere", async t => {
  const console = madeUpConsole(t)
  t.equal((await console.signIn(phrase, { origin: 'http://elsewhere.example' })).statusCode, 403)
  t.equal((await console.get('/unit', undefined, { host: 'rebound.example' })).statusCode, 403)
  for (const own of ['127.0.0.1:8470', '192.0.2.7', '[fd00::7]:8470'])
    t.equal((await console.get('/unit', undefined, { host: own })).statusCode, 200, own)
  const page = await console.get('/')
  t.match(page.headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/)
  t.notMatch(page.headers['content-security-policy'], /unsafe|http/)
  t.notMatch(page.body, /https?:|<script>|style=|onclick/)
  t.equal((await console.get('/../package.json')).statusCode, 404)
  t.equal((await console.get('/console.ts')).statusCode, 404)
  t.equal((await console.signIn('x'.repeat(5000))).statusCode, 413)
})

test('a pass phrase is kept as a hash by root or the user of the console, and typed as telephones type', async t => {
  const file = join(t.testdir(), 'console.phrase')
  const made = newPassPhrase()
  t.match(made, /^([a-hjkmnp-z2-9]{4}-){4}[a-hjkmnp-z2-9]{4}$/)
  t.not(made, newPassPhrase())
  await keepPassPhrase(file, made)
  t.equal(statSync(file).mode & 0o777 & ~0o640, 0)
  t.notMatch(readFileSync(file, 'utf8'), made.slice(0, 9))
  const kept = PassPhrase.read(file)
  t.equal(await kept.matches(made), true)
  t.equal(await kept.matches(` ${made.toUpperCase()} `), true)
  t.equal(await kept.matches(made.slice(0, -1)), false)
  writeFileSync(file, 'scrypt short text\n')
  t.throws(() => PassPhrase.read(file), { code: 'PW_CONSOLE_PHRASE' })
  t.throws(() => PassPhrase.read(`${file}.absent`), { code: 'PW_CONSOLE_PHRASE' })
})
