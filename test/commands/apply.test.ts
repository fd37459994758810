import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Test, test } from 'tap'
import { applyStored, type Machine } from '../../gateway/commands/apply-change.js'
import { outcomes } from '../../gateway/commands/apply-outcomes.js'
import { commandAuthority } from '../../gateway/commands/command-keys.js'
import { storeRequest } from '../../gateway/commands/hub-requests.js'
import { loadConfiguration } from '../../gateway/config/load.js'
import { writeDurably } from '../../gateway/hotlist/generations.js'
import { createSigningKey, publicKeyPem } from '../../gateway/messages/keys.js'
import { sealEvent } from '../../gateway/messages/seal.js'
import { builtInPolicy } from '../../gateway/policy/policy.js'
import { polewatch } from './polewatch.js'

const now = 1_800_000_000
const key = createSigningKey()
const second = createSigningKey()

function unit(t: Test) {
  const folder = t.testdir({ state: { requests: {} }, runtime: {} })
  const file = join(folder, 'polewatch.yaml')
  const policyFile = join(folder, 'policy.yaml')
  writeFileSync(join(folder, 'city.pub'), publicKeyPem(key.publicKey))
  writeFileSync(join(folder, 'council.pub'), publicKeyPem(second.publicKey))
  writeFileSync(policyFile, JSON.stringify(builtInPolicy))
  const configuration = (name: string, extra = ''): string => `# ${name}
version: 1
site: example-city
gateway: { id: pole-17, position: { latitude: 41.88, longitude: -87.63, altitude: 5, error: 1 }, heading: 0 }
paths: { state: ${folder}/state, runtime: ${folder}/runtime }
uplink: { brokers: ['mqtt://127.0.0.1:1883'], hubKey: ${folder}/city.pub }
policyFile: ${policyFile}
commands:
  keys:
    - { name: city, file: ${folder}/city.pub, commands: [configuration, policy], purposes: [upkeep] }
    - { name: council, file: ${folder}/council.pub, commands: [configuration, policy], purposes: [upkeep] }
${extra}`
  writeFileSync(file, configuration('before'))
  const seen: string[] = []
  const reached: string[] = []
  let time = now
  const machine: Machine & { dies: string | null } = {
    dies: null,
    reach: step => {
      reached.push(step)
      return step !== 'look-up' || !readFileSync(file, 'utf8').includes('after-nowhere')
    },
    restart: () => {
      seen.push(readFileSync(file, 'utf8').includes('after') ? 'after' : 'before')
      if (machine.dies === 'restart') throw new Error('the process ends here')
    },
    ranks: () => new Map([['sensing', readFileSync(file, 'utf8').includes('after-deaf') ? 0 : 2]]),
    restarts: () => '0',
    online: () => !readFileSync(file, 'utf8').includes('after-cut'),
    sleep: () => (machine.dies === 'watch' ? Promise.reject(new Error('the process ends here')) : Promise.resolve()),
    now: () => time,
  }
  const options = { file, machine, limit: 20, lasting: 3 }
  const store = (
    name: 'configuration' | 'policy',
    document: string,
    signer: typeof key | null = key,
    life = 300,
  ): Buffer => {
    const draft = {
      name: 'command' as const,
      time,
      subject: null,
      exercise: false,
      data: {
        name,
        site: 'example-city',
        gateway: 'pole-17',
        nonce: randomUUID().replaceAll('-', ''),
        purpose: 'upkeep',
        requestedBy: 'administrator',
        expires: new Date((time + life) * 1000).toISOString(),
        arguments: { document },
      },
    }
    const position = { source: '/example-city/hub/hub/live', epoch: 'ab12cd34', sequence: 1 }
    const { bytes } = sealEvent(draft, position, signer)
    const body = Buffer.from(bytes)
    writeFileSync(join(folder, 'state', 'requests', `${name}-${randomUUID()}.json`), body)
    return body
  }
  return {
    folder,
    file,
    policyFile,
    configuration,
    machine,
    seen,
    reached,
    store,
    apply: () => applyStored(options),
    named: () => readFileSync(file, 'utf8').split('\n')[0]?.slice(2),
    later: (seconds: number) => {
      time += seconds
    },
    left: () => [
      ...readdirSync(join(folder, 'state', 'requests')),
      ...(existsSync(join(folder, '.applying.json')) ? ['half'] : []),
    ],
  }
}

async function begun(t: Test) {
  const it = unit(t)
  mkdirSync(join(it.folder, 'state', 'applied'), { mode: 0o750 })
  t.same(await it.apply(), [])
  it.later(10)
  return it
}

test('a signed change is in force when the roles do as well as before', async t => {
  const it = await begun(t)
  it.store('configuration', it.configuration('after'))
  t.match(await it.apply(), [{ outcome: 'applied' }])
  t.equal(it.named(), 'after')
  t.same(it.left(), [])
  t.match(outcomes(loadConfiguration(it.file).paths), [{ number: 1, outcome: 'applied', code: null }])
  t.same(it.reached, ['look-up', 'keep'])
})

test('what is invalid, unsigned, late or came before changes nothing', async t => {
  const it = await begun(t)
  const refused = async (code: string) => t.match(await it.apply(), [{ outcome: 'refused', code }])
  it.store('configuration', it.configuration('after', 'unheardOf: 1'))
  await refused('PW_COMMAND_MALFORMED')
  it.store('configuration', it.configuration('after').replace('pole-17', 'pole-18'))
  await refused('PW_COMMAND_MALFORMED')
  it.store('configuration', it.configuration('after').replace("['mqtt://127.0.0.1:1883']", '[]'))
  await refused('PW_COMMAND_MALFORMED')
  it.store('configuration', it.configuration('after').replace('hubKey:', 'tls: { ca: /absent.pem }, hubKey:'))
  await refused('PW_COMMAND_MALFORMED')
  it.store('configuration', it.configuration('after'), null)
  await refused('PW_COMMAND_UNAUTHORISED')
  it.store('configuration', it.configuration('after'), key, 5)
  it.later(6)
  await refused('PW_COMMAND_EXPIRED')
  t.same(it.seen, [])
  const body = it.store('configuration', it.configuration('after'))
  await it.apply()
  writeFileSync(it.file, it.configuration('before'))
  writeFileSync(join(it.folder, 'state', 'requests', 'configuration-again.json'), body)
  await refused('PW_COMMAND_REPLAYED')
  t.equal(it.named(), 'before')
})

test('a change that makes a role fail, or cuts the unit off its hub, is taken back', async t => {
  for (const name of ['after-deaf', 'after-cut']) {
    const it = await begun(t)
    it.store('configuration', it.configuration(name))
    t.match(await it.apply(), [{ outcome: 'taken-back', code: 'PW_APPLY_TAKEN_BACK' }])
    t.equal(it.named(), 'before')
    t.same(it.seen, ['after', 'before'])
    t.same(it.reached, ['look-up', 'drop'])
    t.same(it.left(), [])
  }
})

test('a change whose addresses cannot be found is taken back before anything is restarted by it', async t => {
  const it = await begun(t)
  it.store('configuration', it.configuration('after-nowhere'))
  t.match(await it.apply(), [{ outcome: 'taken-back', detail: /could not be looked up/ }])
  t.same(it.seen, ['before'])
})

test('a change that was interrupted is taken back at the next start', async t => {
  for (const step of ['restart', 'watch']) {
    const it = await begun(t)
    it.store('configuration', it.configuration('after'))
    it.machine.dies = step
    // The process that ends has no time to tell anything.
    await t.rejects(it.apply(), /the process ends here/)
    t.equal(it.named(), 'after')
    it.machine.dies = null
    const outcomes = await it.apply()
    t.match(outcomes[0], { outcome: 'interrupted' })
    t.equal(outcomes.length, 1)
    t.equal(it.named(), 'before')
    t.same(it.left(), [])
  }
})

test('what lies among the requests and is none is removed, so that nobody is started for it again', async t => {
  const it = await begun(t)
  const requests = join(it.folder, 'state', 'requests')
  for (const name of ['writing-configuration-ab.json', 'other.json']) writeFileSync(join(requests, name), '{')
  // Uplink's own draft, which it may be writing.
  writeFileSync(join(requests, '.writing-policy-ab.json'), '{')
  t.same(await it.apply(), [])
  t.same(it.left(), ['.writing-policy-ab.json'])

  const configuration = loadConfiguration(it.file)
  const body = it.store('policy', JSON.stringify(builtInPolicy))
  const command = commandAuthority(configuration).check('policy', body, now)
  if ('error' in command) throw command.error
  storeRequest(command, configuration, it.file)
  t.equal(it.left().length, 2)
  t.ok(
    it.left().every(name => /^policy-[\w-]+\.json$/.test(name)),
    'what a power cut left is gone as well',
  )

  mkdirSync(join(requests, 'policy-cd.json', 'not-empty'), { recursive: true })
  t.throws(() => writeDurably(requests, 'policy-cd.json', '{}'))
  t.notOk(
    it.left().some(name => name.includes('writing')),
    'nor does a write that fails leave a draft',
  )
})

test('a configuration is compared with the defaults and with another one, and its keys are explained', t => {
  const it = unit(t)
  const other = join(it.folder, 'other.yaml')
  writeFileSync(other, `${it.configuration('other')}\nlog: { level: debug }\n`)
  t.equal(polewatch('config', 'diff', it.file, '--against', it.file).output, '')
  t.equal(polewatch('config', 'diff', other, '--against', it.file).output, 'log.level: info -> debug\n')
  t.match(polewatch('config', 'diff', other).output, /^log\.level: info -> debug$/m)
  t.notMatch(polewatch('config', 'diff', it.file).output, /log\.level/)
  t.match(polewatch('config', 'explain', 'log.level', '--config', other).output, `log.level is "debug", from ${other}`)
  t.match(polewatch('config', 'explain', 'log.level', '--config', it.file).output, 'from default')
  t.match(polewatch('config', 'explain', 'log.levle', '--config', it.file).errors, 'PW_CONFIG_NO_KEY')
  t.end()
})

test('a policy is tightened with one signature and loosened with two', async t => {
  const it = await begun(t)
  const tighter = JSON.stringify({ ...builtInPolicy, purposes: ['missing-person'] })
  const inForce = () => readFileSync(it.policyFile, 'utf8')
  it.store('policy', tighter)
  t.match(await it.apply(), [{ outcome: 'applied' }])
  t.equal(inForce(), tighter)

  const looser = JSON.stringify(builtInPolicy)
  const waits = async () => t.match(await it.apply(), [{ outcome: 'waiting', code: 'PW_POLICY_LOOSENED' }])
  it.store('policy', looser)
  await waits()
  // The same key again, and another key for another document, are no second signature.
  it.store('policy', looser)
  await waits()
  it.store('policy', JSON.stringify({ ...builtInPolicy, purposes: ['missing-person', 'stolen-plate'] }), second)
  await waits()
  t.equal(inForce(), tighter)
  // Nor is one that has expired meanwhile.
  it.later(301)
  it.store('policy', looser, second)
  await waits()
  t.equal(inForce(), tighter)
  it.store('policy', looser)
  t.match(await it.apply(), [{ outcome: 'applied' }])
  t.equal(inForce(), looser)
})

test('who may decide about the policy, and where it lies, takes two signatures as well', async t => {
  const it = await begun(t)
  const elsewhere = it.configuration('after').replace(/policyFile: .*\n/, '')
  const anotherKey = it
    .configuration('after')
    .replace('keys:', 'keys:\n    - { name: new, file: city.pub, commands: [policy] }')
  for (const document of [elsewhere, anotherKey]) {
    it.store('configuration', document)
    t.match(await it.apply(), [{ outcome: 'waiting', code: 'PW_POLICY_LOOSENED' }])
    t.equal(it.named(), 'before')
  }
  it.store('configuration', anotherKey, second)
  t.match(await it.apply(), [{ outcome: 'applied' }])
  t.equal(it.named(), 'after')
})
