import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import formats from 'ajv-formats'
import fc from 'fast-check'
import { FlattenedSign, flattenedVerify } from 'jose'
import { test } from 'tap'
import { errorTable, PolewatchError } from '../../gateway/errors.js'
import { canonicalJson, isJsonObject, type JsonObject, parseJsonObject } from '../../gateway/messages/json.js'
import { createSigningKey, signingKeyFromPem } from '../../gateway/messages/keys.js'
import { messageLimit, openEnvelope, openEvent, sealEvent, verifyEvent } from '../../gateway/messages/seal.js'
import { type EventDraft, type MessageName, messageNames, messageTypes } from '../../gateway/messages/table.js'
import { parseTopic, topicFor } from '../../gateway/messages/topics.js'
import { generatedFiles } from '../../scripts/generate.js'

const root = process.cwd()
const golden = (file: string) => readFileSync(join(root, 'test/golden/messages', file))
const key = signingKeyFromPem(golden('test-key.pem'))
const findKey = (kid: string) => (kid === key.kid ? key.publicKey : undefined)
const code = (expected: string) => ({ name: 'PolewatchError', code: expected })

/** The canonical form by other means than the product's. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(name => [name, sorted(value[name])]),
  )
}

const encode = (event: unknown) => Buffer.from(JSON.stringify(event))

/** An event with a signature made by jose. */
async function signedByOthers(event: JsonObject, header: object = {}, signer = key): Promise<Uint8Array> {
  const { signature: _, ...unsigned } = event
  const signed = await new FlattenedSign(encode(sorted(unsigned)))
    .setProtectedHeader({ alg: 'EdDSA', kid: signer.kid, ...header })
    .sign(signer.privateKey)
  return encode({ ...unsigned, signature: `${signed.protected}..${signed.signature}` })
}

test('every message has a golden example that is read, verified, and sealed again to the same bytes', t => {
  t.same(
    readdirSync(join(root, 'test/golden/messages')).sort(),
    [...messageNames.map(name => `${name}.json`), 'test-key.pem'].sort(),
    'there are examples of nothing else',
  )
  for (const name of messageNames) {
    const bytes = golden(`${name}.json`)
    const event = openEvent(bytes)
    t.equal(event.name, name)
    t.equal(verifyEvent(event, findKey), 'valid', `${name} is signed`)
    const again = sealEvent(event, event, key)
    t.equal(Buffer.from(again.bytes).toString(), canonicalJson(parseJsonObject(bytes)), `${name} is the same again`)
    t.equal(again.id, event.id)
    t.same(openEvent(again.bytes).data, event.data)
  }
  t.end()
})

test('the gunfire example is the one of the design', t => {
  const event = openEvent(golden('gunfire.json'))
  t.equal(event.type, 'org.polewatch.gunfire.v1')
  if (event.name !== 'gunfire') throw new Error('not gunfire')
  t.equal(event.data.shots[0]?.time, '2018-12-19T00:49:28.543000Z')
  t.equal(event.stream.role, 'sensing')
  t.equal(event.sequence, 17n)
  t.end()
})

test('jose accepts the signature of every example', async t => {
  for (const name of messageNames) {
    const { signature, ...unsigned } = parseJsonObject(golden(`${name}.json`))
    const [header = '', payload, mark = ''] = String(signature).split('.')
    t.equal(payload, '', 'the payload is detached')
    const detached = { protected: header, payload: encode(sorted(unsigned)).toString('base64url'), signature: mark }
    const { protectedHeader } = await flattenedVerify(detached, key.publicKey)
    t.same(protectedHeader, { alg: 'EdDSA', kid: key.kid }, name)
  }
})

test('a changed byte anywhere in a sealed message is found', t => {
  const sealed = messageNames.map(name => {
    const event = openEvent(golden(`${name}.json`))
    return Buffer.from(sealEvent(event, event, key).bytes)
  })
  const change = fc.record({
    message: fc.nat(sealed.length - 1),
    place: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    bits: fc.integer({ min: 1, max: 255 }),
  })
  fc.assert(
    fc.property(change, ({ message, place, bits }) => {
      const bytes = Buffer.from(sealed[message] ?? [])
      const index = Math.floor(place * bytes.length)
      bytes[index] = (bytes[index] ?? 0) ^ bits
      let event: ReturnType<typeof openEvent>
      try {
        event = openEvent(bytes)
      } catch (error) {
        return error instanceof PolewatchError
      }
      return verifyEvent(event, findKey) !== 'valid'
    }),
    { numRuns: 1500 },
  )
  t.pass('1,500 changes')
  t.end()
})

test('what later versions add is tolerated, and signed as well', async t => {
  for (const name of messageNames) {
    const original = parseJsonObject(golden(`${name}.json`))
    if (!isJsonObject(original.data)) throw new Error('no data')
    const later = {
      ...original,
      laterattribute: 'x',
      data: { ...original.data, laterProperty: { deep: [1, { a: null }] } },
    }
    const bytes = await signedByOthers(later)
    const event = openEvent(bytes)
    t.equal(verifyEvent(event, findKey), 'valid', name)
    t.notOk(Object.hasOwn(event.data, 'laterProperty'), 'what is not known is not in the data')
    t.ok(Object.hasOwn(event.original, 'laterattribute'), 'but in the original')
    const { laterattribute: _, ...less } = parseJsonObject(bytes)
    t.equal(verifyEvent(openEvent(encode(less)), findKey), 'forged', 'and cannot be taken away')
  }
})

test('a signature proves nothing with another key, another algorithm or another header', async t => {
  const event = parseJsonObject(golden('plate-hit.json'))
  const other = createSigningKey()
  const verify = (bytes: Uint8Array, find = findKey) => verifyEvent(openEvent(bytes), find)
  const signature = String(event.signature)
  const { signature: _, ...unsigned } = event
  const header = (fields: object) => encode(fields).toString('base64url')
  const [, , mark = ''] = signature.split('.')

  t.equal(verify(encode(unsigned)), 'unsigned')
  t.equal(verify(await signedByOthers(event, {}, other)), 'unknown-key')
  t.equal(verify(await signedByOthers(event, { kid: key.kid }, other)), 'forged', 'a borrowed name')
  t.equal(verify(await signedByOthers(event, { typ: 'JOSE' })), 'forged', 'a header that is not ours')
  t.equal(verify(await signedByOthers(event, { b64: true, crit: ['b64'] })), 'forged', 'a header to be understood')
  t.equal(verify(encode({ ...event, signature: `${header({ alg: 'none', kid: key.kid })}..` })), 'forged', 'none')
  for (const broken of [
    '',
    '.',
    '..',
    '...',
    `${signature}.`,
    signature.replace('..', '.e30.'),
    `..${mark}`,
    `${signature}=`,
  ]) {
    t.equal(verify(encode({ ...event, signature: broken })), 'forged', `signature ${broken.slice(-12)}`)
  }
  // 64 bytes leave four unused bits in the last character of base64url: only one spelling may pass.
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet[alphabet.indexOf(mark.slice(-1)) + 1] ?? ''
  t.equal(verify(encode({ ...event, signature: signature.slice(0, -1) + last })), 'forged', 'another spelling')

  const asked: string[] = []
  verifyEvent(openEvent(encode(event)), (kid, stream) => {
    asked.push(`${kid} ${stream.gateway} ${stream.role}`)
    return undefined
  })
  t.same(asked, [`${key.kid} pole-17 sensing`], 'the finder learns for whom the key would have to speak')
})

test('what we write holds nothing that the schema does not have', t => {
  const event = openEvent(golden('gunfire.json'))
  if (event.name !== 'gunfire') throw new Error('not gunfire')
  const draft: EventDraft<'gunfire'> = event
  const seal = (data: object, time = draft.time) => sealEvent(Object.assign({}, draft, { data, time }), event, key)
  const [shot] = draft.data.shots
  t.throws(() => seal({ ...draft.data, extra: 1 }), code('PW_MESSAGE_INVALID'))
  t.throws(() => seal({ ...draft.data, shots: [{ ...shot, extra: 1 }] }), /data\.shots\.0\.extra is not in the schema/)
  t.throws(() => seal({ ...draft.data, shots: [{ ...shot, uncertainty: null }] }), code('PW_MESSAGE_INVALID'))
  t.throws(() => seal({ ...draft.data, shots: [{ ...shot, timeError: Number.NaN }] }), code('PW_MESSAGE_INVALID'))
  t.throws(() => seal({ ...draft.data, weapon: 'rifle' }), code('PW_MESSAGE_INVALID'), 'nothing is claimed of weapons')
  t.throws(() => seal({ ...draft.data, incident: '\ud800' }), code('PW_MESSAGE_INVALID'))
  t.throws(() => seal(draft.data, Number.NaN), code('PW_MESSAGE_INVALID'))
  t.throws(() => seal(draft.data, 1e15), code('PW_MESSAGE_INVALID'))
  const place = { epoch: event.epoch, sequence: 1 }
  const inStream = (source: string) => () => sealEvent(draft, { ...place, source }, key)
  t.throws(inStream('/riverside/pole-17/sensing/rest'), code('PW_MESSAGE_INVALID'), 'another priority')
  t.throws(inStream('/riverside/pole-17/+/gunfire'), code('PW_MESSAGE_INVALID'), 'no stream')
  for (const sequence of [0, -1, 1.5, 10n ** 20n, Number.NaN]) {
    t.throws(() => sealEvent(draft, { ...event, sequence }, key), code('PW_STREAM_INVALID'), `number ${sequence}`)
  }
  t.throws(() => sealEvent(draft, { ...event, epoch: 'no-epoch' }, key), code('PW_MESSAGE_INVALID'))
  const lots = Array.from({ length: 1000 }, () => shot)
  t.throws(() => seal({ ...draft.data, shots: lots }), code('PW_MESSAGE_TOO_LARGE'), 'what nobody would read')
  const replayed = openEvent(sealEvent(draft, { ...event, epoch: 'replay', sequence: 1 }, null).bytes)
  t.equal(verifyEvent(replayed, findKey), 'unsigned', 'a replay does not sign')
  t.equal(replayed.id, 'replay-1')
  t.end()
})

test('an error of a message names the place and never the value', t => {
  const event = parseJsonObject(golden('plate-hit.json'))
  const text = JSON.stringify(event).replaceAll('EXAMPL1', 'EXAMPL1'.repeat(12))
  t.throws(() => openEvent(Buffer.from(text)), { code: 'PW_MESSAGE_INVALID', message: /^(?=.*plate)(?!.*EXAMPL)/ })
  t.end()
})

test('hostile bytes are refused with a code and change nothing', t => {
  const text = golden('command.json').toString()
  const refuse = (bytes: Uint8Array | string, why: string, expected = 'PW_MESSAGE_INVALID') =>
    t.throws(() => openEvent(Buffer.from(bytes)), code(expected), why)
  refuse('', 'nothing')
  refuse('[]', 'no object')
  refuse('null', 'null')
  refuse(text.slice(0, -3), 'half a message')
  refuse(`\ufeff${text}`, 'a byte order mark')
  refuse(Buffer.concat([Buffer.from(text), Buffer.from([0xff])]), 'bytes that are not UTF-8')
  refuse(text.replace('"exercise": true', '"exercise": true, "exercise": false'), 'a name twice')
  refuse(
    text.replace('"exercise": true', '"exercise": true, "\\u0065xercise": false'),
    'a name twice, spelled otherwise',
  )
  refuse(text.replace('"purpose"', '"nonce": "again", "purpose"'), 'a name twice, deeper')
  refuse(text.replace('"arguments": {', '"arguments": { "__proto__": { "polluted": true },'), 'a prototype')
  refuse(text.replace('"arguments": {', `"arguments": { "a": ${'['.repeat(40)}${']'.repeat(40)},`), 'deep nesting')
  refuse(text.replace('"arguments": {', '"arguments": { "a": 1e999,'), 'a number too large')
  refuse(text.replace('"arguments": {', '"arguments": { "a": "\\ud83d",'), 'half a character')
  refuse('['.repeat(messageLimit - 1), 'deep nesting and nothing else')
  refuse(text.replace('"1.0"', '"2.0"'), 'another CloudEvents')
  refuse(text.replace('-879"', '-880"'), 'an id that is not its number')
  refuse(text.replace('/hub/live', '/hub/live/x'), 'a source that is no stream')
  refuse(text.replace('2026-03-01T14:04', '2026-02-31T14:04'), 'a day that does not exist')
  refuse(Buffer.alloc(messageLimit + 1, 0x20), 'too large', 'PW_MESSAGE_TOO_LARGE')
  t.throws(() => openEvent(Buffer.from(text), 100), code('PW_MESSAGE_TOO_LARGE'), 'a limit of the caller')
  t.equal(Object.hasOwn(Object.prototype, 'polluted'), false)

  const unknown = Buffer.from(text.replace('.command.v1', '.command.v2'))
  t.throws(() => openEvent(unknown), code('PW_MESSAGE_TYPE_UNKNOWN'))
  t.equal(openEnvelope(unknown).sequence, 879n, 'a message of a later version still counts')

  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.json().map(value => Buffer.from(value)),
      ),
      bytes => {
        try {
          openEvent(bytes)
        } catch (error) {
          return error instanceof PolewatchError
        }
        return false
      },
    ),
  )
  t.end()
})

test('alerts are never retained and never expire, and every message has a topic that is read back', t => {
  const place = { site: 'riverside', gateway: 'pole-17', cell: 'dppn5', id: 'picture-1', name: 'status' }
  for (const name of messageNames) {
    const { priority, quality, retained, expiresAfter, topic } = messageTypes[name]
    const parsed = parseTopic(topicFor(name, place))
    t.ok(parsed?.messages.includes(name), `${name} goes to ${topic}`)
    t.match(parsed, { site: 'riverside', gateway: 'pole-17' })
    if (priority !== 'live') t.same([quality, retained, expiresAfter], [1, false, null], `${name} is delivered`)
    if (retained) t.equal(expiresAfter, null, `${name} stays`)
  }
  t.end()
})

test('generated documents are current; if not, run npm run generate', t => {
  const files = generatedFiles(root)
  for (const [path, content] of files) {
    t.ok(readFileSync(join(root, path), 'utf8') === content, `${path} is current`)
  }
  const present = readdirSync(join(root, 'docs/generated'), { recursive: true, withFileTypes: true })
  const stray = present.filter(
    file => file.isFile() && !files.has(join(file.parentPath, file.name).slice(root.length + 1)),
  )
  t.same(stray, [], 'nothing else lies among them')
  t.end()
})

test('docs/errors.md and the table of errors agree both ways', t => {
  const page = readFileSync(join(root, 'docs/errors.md'), 'utf8')
  const sections = [...page.matchAll(/^## (\S+)\n\n\*\*What happened:\*\* (.+)\n\n\*\*What to do:\*\* (.+)$/gm)]
  const documented = sections.map(([, name, summary, advice]) => [name, { summary, advice }])
  t.same(documented, Object.entries(errorTable))
  t.equal([...page.matchAll(/^## /gm)].length, sections.length, 'there are no other sections')
  t.end()
})

test('the AsyncAPI document keeps to the published schema of AsyncAPI 3.0', t => {
  const document = parseJsonObject(readFileSync(join(root, 'docs/generated/asyncapi.json')))
  const ajv = new Ajv({ strict: false, meta: false, validateSchema: false })
  formats.default(ajv)
  const schema = fileURLToPath(import.meta.resolve('@asyncapi/specs/schemas/3.0.0.json'))
  const keeps = ajv.compile(parseJsonObject(readFileSync(schema)))
  t.ok(keeps(document), JSON.stringify(keeps.errors))
  t.notOk(keeps({ ...document, channels: [] }))
  t.end()
})

test('the AsyncAPI document has every message once, and all its references lead somewhere', t => {
  const document = parseJsonObject(readFileSync(join(root, 'docs/generated/asyncapi.json')))
  const resolve = (path: string) =>
    path
      .slice(2)
      .split('/')
      .reduce<unknown>((at, level) => (isJsonObject(at) ? at[level] : undefined), document)
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, path = '']) => path)
  t.ok(references.length > messageNames.length)
  for (const path of new Set(references)) t.ok(isJsonObject(resolve(path)), path)
  const names = Object.keys(
    isJsonObject(resolve('#/components/messages')) ? Object(resolve('#/components/messages')) : {},
  )
  t.same(names, messageNames satisfies readonly MessageName[])
  const addresses = [...JSON.stringify(document).matchAll(/"address":"([^"]+)"/g)].map(([, address]) => address)
  t.same(new Set(addresses), new Set(messageNames.map(name => messageTypes[name].topic)))
  t.end()
})
