import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { signDelta } from '../../gateway/hotlist/delta-file.js'
import { type CommandRequest, CommandSender } from '../../gateway/hub/index.js'
import { ExchangeReader, type Post } from '../../gateway/journal/exchange.js'
import { parseJsonObject } from '../../gateway/messages/json.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent, verifyEvent } from '../../gateway/messages/seal.js'
import { formatTime } from '../../gateway/messages/time.js'
import { writeGateway } from '../uplink/attack.js'
import { brokerKinds, runningMosquitto } from '../uplink/brokers.js'
import { folderOf, polewatch, RunningCommand, until } from './polewatch.js'

const [, mosquitto] = brokerKinds

type Asked = CommandRequest['name']

test('an operator gives a verdict from the command line, changes a list, stores a configuration and restarts a role', {
  skip: mosquitto?.missing ?? false,
  timeout: 150_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const folder = folderOf(t)
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const file = writeGateway(folder, broker.url, keys)
  const list = join(folder, 'wanted.csv')
  writeFileSync(list, 'plate,state,purpose,expires,id\nPOLE 123,PA,stolen-vehicle,2035-01-01T00:00:00Z,entry-1\n')
  polewatch('hotlist', 'import', list, '--config', file, '--list', 'wanted')
  // A change names what its list was made of.
  const base = createHash('sha256').update(readFileSync(list)).digest('hex')
  const gateway = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => gateway.stop())
  await until(() => gateway.errors.includes('"msg":"connected"'), 'the gateway')
  const desk = { url: broker.url, site: 'test', gateway: 'pole-1' }
  const senders = {
    hub: new CommandSender({ ...desk, signingKey: keys.hub, timeout: 60 }),
    operator: new CommandSender({ ...desk, signingKey: keys.operator, timeout: 60 }),
  }
  t.teardown(() => Promise.all([senders.hub.close(), senders.operator.close()]))
  const ask = async (key: keyof typeof senders, name: Asked, given: Record<string, unknown> = {}) => {
    const request = { name, arguments: given, purpose: 'maintenance', requestedBy: 'technician' }
    return (await senders[key].send(request)).data
  }
  const posts = (kind: string): readonly Post[] => {
    const exchange = new ExchangeReader(join(folder, 'run', 'uplink.exchange.db'))
    const found = exchange.after(undefined, [kind]).posts
    exchange.close()
    return found
  }

  const hit = readFileSync(join(process.cwd(), 'test/golden/messages/plate-hit.json'), 'utf8')
  const alert = join(folder, 'hit.json')
  writeFileSync(alert, hit.replaceAll('/riverside/pole-17/', '/test/pole-1/'))
  const verdictBy = (key: string) => {
    const address = ['--to', 'pole-1', '--site', 'test', '--broker', broker.url, '--key', join(folder, `${key}.key`)]
    const about = ['--alert', alert, '--verdict', 'not-wanted', '--reason', 'It was found.', '--by', 'dispatcher']
    return polewatch('command', 'verdict', ...address, ...about)
  }
  const given = verdictBy('hub')
  t.equal(given.status, 0)
  t.match(given.output, /verdict: done/)
  const [post] = posts('verdict')
  const verdict = openEvent(post?.body ?? Buffer.alloc(0))
  t.match(verdict.data, { verdict: 'not-wanted', by: 'dispatcher', entry: { list: JSON.parse(hit).data.entry.list } })
  t.equal(
    verifyEvent(verdict, () => keys.hub.publicKey),
    'valid',
    'the role that matches can check again who gave it',
  )
  const capabilities = readFileSync(join(process.cwd(), 'test/golden/messages/capabilities.json'))
  const named = readFileSync(alert)
  writeFileSync(alert, capabilities)
  const none = verdictBy('hub')
  t.equal(none.status, 2)
  t.match(none.errors, /PW_USAGE.*holds no gunfire and no plate hit, but capabilities/s)
  writeFileSync(alert, named)
  const refused = verdictBy('operator')
  t.equal(refused.status, 1)
  t.match(refused.output, /PW_COMMAND_UNAUTHORISED/)

  const change = {
    format: 'polewatch-hotlist-delta-1',
    list: 'wanted',
    base: { sha256: base },
    expires: formatTime(Date.now() / 1000 + 600),
    remove: [{ plate: 'POLE 123', id: 'entry-1' }],
    add: ['WATCH 17', 'WATCH 18'].map((plate, index) => {
      const wanted = { state: 'PA', purpose: 'stolen-vehicle', expires: '2035-01-01T00:00:00Z' }
      return { plate, ...wanted, id: `case-${index}` }
    }),
  }
  const { bytes } = signDelta(Buffer.from(JSON.stringify(change)), keys.operator)
  const changed = await ask('operator', 'hotlist', { list: 'wanted', delta: parseJsonObject(bytes) })
  t.match(changed, { outcome: 'done', result: { added: 2, removed: 1, generation: 2 } })

  const document = readFileSync(file, 'utf8')
  const stored = await ask('operator', 'configuration', { document })
  t.match(stored, { outcome: 'done', result: { applied: false } })
  const requests = join(folder, 'state', 'requests')
  const [request = ''] = readdirSync(requests)
  t.equal(request, stored.result?.request)
  const event = openEvent(readFileSync(join(requests, request)))
  t.equal(
    verifyEvent(event, () => keys.operator.publicKey),
    'valid',
    'whoever applies it can check again who asked',
  )
  const wrong = await ask('operator', 'configuration', { document: 'version: 7\n' })
  t.match(wrong, { outcome: 'refused', code: 'PW_COMMAND_MALFORMED' })
  t.equal(readdirSync(requests).length, 1)

  t.match(await ask('operator', 'evidence', { id: 'x' }), { code: 'PW_COMMAND_UNAUTHORISED' })
  t.match(await ask('hub', 'check'), { outcome: 'done', result: { good: true, faults: [] } })
  t.match(await ask('operator', 'restart', { role: 'sensing' }), { outcome: 'done' })
  await until(() => /"part":"sensing","event":"ended","why":"exit status 0"/.test(gateway.output), 'the end of sensing')
  t.notMatch(gateway.output, /"part":"uplink","event":"ended"/)
})
