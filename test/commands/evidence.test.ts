import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { CommandSender, connectHub } from '../../gateway/hub/index.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import type { MessageData } from '../../gateway/messages/table.js'
import { builtInPolicy } from '../../gateway/policy/policy.js'
import { writeGateway } from '../uplink/attack.js'
import { brokerKinds, runningMosquitto } from '../uplink/brokers.js'
import { folderOf, polewatch, RunningCommand, until } from './polewatch.js'

const [, mosquitto] = brokerKinds

/** The files below a folder that hold some bytes. */
function holding(folder: string, bytes: Buffer): string[] {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return paths.filter(path => {
    try {
      return readFileSync(join(folder, path)).includes(bytes)
    } catch {
      // A folder, or gone since the listing.
      return false
    }
  })
}

/** The bytes of a piece from all its messages, in whatever order they came. */
function whole(chunks: readonly MessageData<'evidence'>[]): Buffer {
  const inOrder = [...chunks].sort((one, other) => one.chunk.index - other.chunk.index)
  return Buffer.concat(inOrder.map(({ chunk }) => Buffer.from(chunk.bytes, 'base64')))
}

test('evidence of a hit goes to whoever may ask, with a purpose and on record, and is gone from every file when its time is over', {
  skip: mosquitto?.missing ?? false,
  timeout: 600_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const folder = folderOf(t)
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const policyFile = join(folder, 'policy.json')
  writeFileSync(policyFile, JSON.stringify(builtInPolicy))
  const file = writeGateway(folder, broker.url, keys, [
    { path: ['microphoneArrays'], value: [] },
    {
      path: ['cameras'],
      value: [{ name: 'street', driver: 'simulator', lane: '1', interval: 12, plates: ['KLM4827'] }],
    },
    { path: ['policyFile'], value: policyFile },
  ])
  const list = join(folder, 'wanted.csv')
  writeFileSync(list, 'plate,state,purpose,expires,id\nKLM4827,PA,stolen-vehicle,2035-01-01,entry-1\n')
  t.equal(polewatch('hotlist', 'import', list, '--config', file, '--list', 'wanted').status, 0)

  const hub = await connectHub({ url: broker.url, site: 'test', signingKey: keys.hub })
  const hits: MessageData<'plate-hit'>[] = []
  const pieces: MessageData<'evidence'>[] = []
  const sources = new Set<string>()
  const following = (async () => {
    for await (const output of hub) {
      if (output.kind === 'event' && output.message?.name === 'plate-hit') hits.push(output.message.data)
      if (output.kind === 'live' && output.message?.name === 'evidence') {
        pieces.push(output.message.data)
        sources.add(output.message.source)
      }
    }
  })()
  t.teardown(async () => {
    await hub.close()
    await following
  })
  const gateway = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => gateway.stop())
  const kept = await until(() => hits.find(({ evidence }) => evidence !== undefined)?.evidence?.[0], 'a hit', 200)

  const sender = new CommandSender({
    ...{ url: broker.url, site: 'test', gateway: 'pole-1', signingKey: keys.operator, timeout: 60 },
  })
  t.teardown(() => sender.close())
  const ask = async (id: string, requestedBy = 'reviewer', purpose = 'maintenance') =>
    (await sender.send({ name: 'evidence', arguments: { id }, purpose, requestedBy })).data

  t.match(await ask(kept.id, 'dispatcher'), { outcome: 'refused', code: 'PW_COMMAND_UNAUTHORISED' }, 'by the policy')
  t.match(await ask(kept.id, 'reviewer', 'curiosity'), { outcome: 'refused', code: 'PW_COMMAND_UNAUTHORISED' })
  t.match(await ask('plate-0000000000000000'), { outcome: 'refused', code: 'PW_COMMAND_UNAVAILABLE' }, 'never kept')
  t.same(pieces, [], 'nothing has left so far')
  const answer = await ask(kept.id)
  t.match(answer, { outcome: 'done', result: { id: kept.id, sha256: kept.sha256, size: kept.size } })
  await until(() => pieces.length === answer.result?.chunks, 'the piece')
  const picture = whole(pieces)
  t.equal(createHash('sha256').update(picture).digest('hex'), kept.sha256, 'what comes is what the alert named')
  t.same([...sources], ['/test/pole-1/vision/live'], 'signed by the role that keeps it')
  const lies = () => holding(folder, picture)
  t.match(lies(), [/^state\/pictures\//])
  await gateway.stop()

  // A tighter policy is in force at once, for what was kept before too.
  writeFileSync(policyFile, JSON.stringify({ ...builtInPolicy, keepDays: { ...builtInPolicy.keepDays, picture: 0 } }))
  const again = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => again.stop())
  await until(() => lies().length === 0, 'the purge', 200)
  await until(() => again.errors.includes('"msg":"connected"'), 'the gateway', 200)
  t.match(await ask(kept.id), { outcome: 'refused', code: 'PW_COMMAND_UNAVAILABLE' }, 'its time is over')
  t.equal(await again.stop(), 0)
})

test('a shot leaves a short clip where the policy allows one, encrypted on flash, and its final revision names it', {
  skip: mosquitto?.missing ?? false,
  timeout: 600_000,
}, async t => {
  const broker = await runningMosquitto(t)
  const folder = folderOf(t)
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const policyFile = join(folder, 'policy.json')
  const { keepDays, evidence } = builtInPolicy
  writeFileSync(
    policyFile,
    JSON.stringify({
      ...builtInPolicy,
      keepDays: { ...keepDays, audio: 1 },
      evidence: { ...evidence, audioSeconds: 2 },
    }),
  )
  const keyFile = join(folder, 'evidence.key')
  writeFileSync(keyFile, 'c0ffee00'.repeat(8), { mode: 0o600 })
  const recording = join(process.cwd(), 'scripts/demonstration/live-fire/test_003.audio.SCP-00-BNQ-0979.wav')
  const file = writeGateway(folder, broker.url, keys, [
    {
      path: ['microphoneArrays'],
      value: [{ name: 'roof', driver: 'recording', geometry: 'mono', file: recording }],
    },
    { path: ['policyFile'], value: policyFile },
    { path: ['evidence'], value: { keyFile } },
  ])
  const hub = await connectHub({ url: broker.url, site: 'test', signingKey: keys.hub })
  const shots: MessageData<'gunfire'>[] = []
  const pieces: MessageData<'evidence'>[] = []
  const following = (async () => {
    for await (const output of hub) {
      if (output.kind === 'event' && output.message?.name === 'gunfire') shots.push(output.message.data)
      if (output.kind === 'live' && output.message?.name === 'evidence') pieces.push(output.message.data)
    }
  })()
  t.teardown(async () => {
    await hub.close()
    await following
  })
  const gateway = new RunningCommand('run', '--config', file, '--json')
  t.teardown(() => gateway.stop())
  const final = await until(() => shots.find(({ state }) => state === 'final'), 'the final revision', 200)
  const [clip] = final.evidence ?? []
  if (clip === undefined) throw new Error('no clip is named')
  t.ok(
    shots.filter(({ state }) => state !== 'final').every(shot => shot.evidence === undefined),
    'no earlier revision has waited for sound',
  )
  const sender = new CommandSender({
    ...{ url: broker.url, site: 'test', gateway: 'pole-1', signingKey: keys.operator, timeout: 60 },
  })
  t.teardown(() => sender.close())
  const command = { name: 'evidence', arguments: { id: clip.id }, purpose: 'maintenance', requestedBy: 'reviewer' }
  const { data: answer } = await sender.send({ ...command, name: 'evidence' })
  t.match(answer, { outcome: 'done', result: { sha256: clip.sha256 } })
  await until(() => pieces.length === answer.result?.chunks, 'the piece')
  const sound = whole(pieces)
  t.equal(createHash('sha256').update(sound).digest('hex'), clip.sha256)
  t.equal(sound.toString('latin1', 0, 4), 'RIFF')
  const seconds = (sound.length - 44) / sound.readUInt32LE(28)
  t.ok(seconds > 1 && seconds <= 2, `no longer than the policy allows: ${seconds} s`)
  const loudest = Math.max(
    ...Array.from({ length: (sound.length - 44) / 2 }, (_, at) => sound.readInt16LE(44 + 2 * at)),
  )
  t.ok(loudest > 1000, 'the shot is in it')
  t.same(holding(folder, sound.subarray(44)), [], 'nowhere on the disk as it sounds')
  t.equal(readdirSync(join(folder, 'state', 'sound')).length, 1, 'one clip an incident')
  t.equal(await gateway.stop(), 0)
})
