import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { readSecret } from '../../gateway/config/secret-file.js'
import { AcceptedRequests } from '../../gateway/journal/accepted-requests.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { CommandAuthority } from '../../gateway/uplink/command-authority.js'
import { answerTopic, type CommandRecord, Commands } from '../../gateway/uplink/commands.js'
import type { IncomingMessage, PublishRequest } from '../../gateway/uplink/connection.js'
import { discoveryMessage } from '../../gateway/uplink/home-assistant.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { RefusalLimit } from '../../gateway/uplink/refusal-limit.js'
import { commandBytes, place } from './attack.js'
import { uplinkKey } from './events.js'

const operator = createSigningKey()
const request = (token: string, expires: number, issued = 100) => ({
  token,
  name: 'verdict',
  issued,
  expires,
  body: Buffer.from(token),
})

test('an accepted request is refused for ever after, over restarts, damage and a clock that goes back', t => {
  const path = join(t.testdir(), 'uplink.requests.db')
  let now = 50
  const open = () => AcceptedRequests.open(path, () => now, 16)
  let memory = open()
  now = 100
  t.equal(memory.accept(request('one', 200)), 'accepted')
  t.equal(memory.accept(request('one', 200)), 'replayed')
  t.equal(memory.accept(request('early', 200, 40)), 'before-this-file', 'nobody knows what was obeyed before')
  t.throws(open, { code: 'PW_JOURNAL_IN_USE' })
  memory.close()
  memory = open()
  t.equal(memory.accept(request('one', 200)), 'replayed')
  t.same(
    memory.pending().map(({ body }) => Buffer.from(body).toString()),
    ['one'],
  )
  for (let count = 0; count < 8; count += 1) memory.accept(request(`filler-${count}`, 300))
  now = 1000
  t.same(memory.pending(), [], 'what has expired is over')
  t.equal(memory.accept(request('later', 2000, 1000)), 'accepted')
  now = 110
  t.equal(memory.accept(request('one', 200)), 'replayed', 'forgotten, but not to be obeyed again')
  memory.close()
  writeFileSync(path, 'not a database')
  now = 1200
  memory = open()
  t.match(memory.setAside, { code: 'PW_JOURNAL_DAMAGED' })
  t.equal(memory.accept(request('later', 2000, 1000)), 'before-this-file')
  t.equal(memory.accept(request('new', 2000, 1201)), 'accepted')
  memory.close()
  t.end()
})

test('as many requests are remembered as there is room for, and more are refused', t => {
  const memory = AcceptedRequests.open(join(t.testdir(), 'requests.db'), () => 100, 16)
  let accepted = 0
  while (memory.accept(request(`token-${accepted}`, 200)) === 'accepted') accepted += 1
  t.equal(accepted, 16)
  t.equal(memory.accept(request('one more', 200)), 'full')
  memory.close()
  t.end()
})

test('refusals are told until there are too many, and then counted', t => {
  const limit = new RefusalLimit(0, 2, 10)
  t.same(
    [0, 0, 0, 5, 15, 16].map(now => limit.pass(now)),
    [0, 0, null, null, 2, null],
  )
  t.equal(limit.suppressed, 1)
  t.end()
})

interface Desk {
  readonly take: (message: Partial<IncomingMessage> & Pick<IncomingMessage, 'payload'>) => void
  readonly records: CommandRecord[]
  readonly sent: PublishRequest[]
  readonly obeyed: string[]
  readonly commands: Commands
}

function desk(options: { recordFails?: boolean; wait?: Promise<void>; clock?: () => number } = {}): Desk {
  const records: CommandRecord[] = []
  const sent: PublishRequest[] = []
  const obeyed: string[] = []
  const tokens = new Set<string>()
  let handler: (message: IncomingMessage) => void = () => undefined
  const obey = async ({ name }: { name: string }) => {
    await options.wait
    obeyed.push(name)
    return { detail: 'Done.' }
  }
  const refuse = () => {
    throw new Error('the disk is full')
  }
  const commands = new Commands({
    ...place,
    exercise: true,
    session: {
      online: true,
      receiveMaximum: 20,
      publish: async publication => sent.push(publication) * 0,
      subscribe: (_, __, take) => {
        handler = take
      },
      unsubscribe: () => undefined,
      observe: () => () => undefined,
    },
    stream: new LiveStream(place.site, place.gateway, 'uplink', uplinkKey),
    authority: new CommandAuthority(place.site, place.gateway, [
      { name: 'operator', key: operator.publicKey, commands: new Set(['log-level', 'restart']), purposes: null },
    ]),
    memory: {
      accept: ({ token }) => {
        const known = tokens.has(token)
        tokens.add(token)
        return known ? 'replayed' : 'accepted'
      },
    },
    handlers: {
      status: obey,
      check: obey,
      evidence: obey,
      verdict: obey,
      hotlist: obey,
      policy: obey,
      configuration: obey,
      restart: refuse,
      'log-level': obey,
    },
    record: async entry => {
      if (options.recordFails === true) throw new Error('the disk is full')
      records.push(entry)
    },
    clock: options.clock ?? (() => Date.now() / 1000),
  })
  const topic = 'polewatch/v1/test/pole-1/command/log-level'
  return {
    take: message => handler({ topic, retained: false, redelivered: false, ...message }),
    records,
    sent,
    obeyed,
    commands,
  }
}

function answersOf({ sent }: Desk) {
  return sent.map(({ payload }) => {
    const event = openEvent(payload)
    return event.name === 'command-result' ? event.data.code : 'another message'
  })
}

test('a command that cannot be recorded is not obeyed', async t => {
  const each = desk({ recordFails: true })
  each.take({ payload: commandBytes(operator) })
  await each.commands.settled()
  t.same([each.obeyed, answersOf(each)], [[], ['PW_COMMAND_FAILED']])
})

test('a command that fails, one that the broker had retained and one too many are answered and recorded', async t => {
  let go: () => void = () => undefined
  const each = desk({
    wait: new Promise<void>(resolve => {
      go = resolve
    }),
  })
  each.take({ payload: commandBytes(operator), retained: true })
  for (let count = 0; count < 17; count += 1) each.take({ payload: commandBytes(operator) })
  go()
  await each.commands.settled()
  t.equal(each.obeyed.length, 16)
  const restart = commandBytes(operator, { name: 'restart', arguments: {} })
  each.take({ payload: restart, topic: 'polewatch/v1/test/pole-1/command/restart' })
  await each.commands.settled()
  t.same(
    answersOf(each).filter(code => code !== null),
    ['PW_COMMAND_REPLAYED', 'PW_COMMAND_TOO_MANY', 'PW_COMMAND_FAILED'],
  )
  t.same(each.commands.counters(), { obeyed: 16, failed: 1, refused: { retained: 1, 'too-many': 1 } })
  t.equal(each.records.length, 2 + 2 * 17)
  t.match(each.records.at(-1), { action: 'command-result', subject: 'restart', detail: { outcome: 'failed' } })
})

test('a command that expires while it waits behind another is refused, recorded and answered', async t => {
  let later = 0
  let go: () => void = () => undefined
  const wait = new Promise<void>(resolve => {
    go = resolve
  })
  const each = desk({ wait, clock: () => Date.now() / 1000 + later })
  for (let count = 0; count < 2; count += 1) each.take({ payload: commandBytes(operator) })
  // The first is begun.
  await new Promise(resolve => setImmediate(resolve))
  later = 3600
  go()
  await each.commands.settled()
  t.equal(each.obeyed.length, 1)
  t.same(answersOf(each), [null, 'PW_COMMAND_EXPIRED'])
  t.same(each.commands.counters(), { obeyed: 1, failed: 0, refused: { expired: 1 } })
  t.match(each.records.at(-1), { action: 'command', detail: { outcome: 'refused', why: 'expired' } })
})

test('an answer carries what the asker gave to know it by, and goes to no other topic than it may', async t => {
  const each = desk()
  each.take({
    payload: commandBytes(operator),
    correlation: Buffer.from('mine'),
    responseTopic: 'polewatch/v1/test/pole-1/command-result/desk-4',
  })
  await each.commands.settled()
  t.match(each.sent[0], { topic: 'polewatch/v1/test/pole-1/command-result/desk-4', correlation: Buffer.from('mine') })
  for (const asked of ['a/#', 'a/+/b', 'a/b/c', 'b', 'a/', undefined]) t.equal(answerTopic('a', asked), 'a')
})

test('Home Assistant is told of health topics and of no alert, under ids that are the gateway’s own', t => {
  const { topic, payload, retain } = discoveryMessage({
    site: 'riverside',
    gateway: 'pole-17',
    version: '0.1.0',
    prefix: 'homeassistant',
  })
  t.equal(topic, 'homeassistant/device/polewatch-riverside-pole-17/config')
  t.ok(retain)
  const { components } = JSON.parse(Buffer.from(payload).toString())
  const topics = Object.values(components).map(
    component => JSON.stringify(component).match(/"state_topic":"([^"]+)"/)?.[1],
  )
  t.same([...new Set(topics)].sort(), [
    'polewatch/v1/riverside/pole-17/health',
    'polewatch/v1/riverside/pole-17/status',
  ])
  const health = JSON.parse(readFileSync(join(process.cwd(), 'test/golden/messages/health.json'), 'utf8'))
  const paths = JSON.stringify(components).match(/value_json(\.\w+)+/g) ?? []
  t.equal(paths.length, 6)
  for (const path of paths.filter(each => !each.endsWith('.state'))) {
    const found = path
      .split('.')
      .slice(1)
      .reduce((value, key) => value?.[key], health)
    t.not(found, undefined, `${path} is in a health message`)
  }
  t.end()
})

test('a key may be a credential that systemd hands over', t => {
  const folder = t.testdir({ 'uplink.key': 'secret' })
  const before = process.env.CREDENTIALS_DIRECTORY
  t.teardown(() => {
    if (before === undefined) delete process.env.CREDENTIALS_DIRECTORY
    else process.env.CREDENTIALS_DIRECTORY = before
  })
  delete process.env.CREDENTIALS_DIRECTORY
  t.throws(() => readSecret('credential:uplink.key'), { code: 'PW_KEY_FILE', message: /no credentials/ })
  process.env.CREDENTIALS_DIRECTORY = folder
  t.equal(readSecret('credential:uplink.key'), 'secret')
  t.equal(readSecret(join(folder, 'uplink.key')), 'secret')
  t.throws(() => readSecret('credential:../uplink.key'), { code: 'PW_KEY_FILE' })
  t.throws(() => readSecret('credential:..'), { code: 'PW_KEY_FILE' })
  t.end()
})
