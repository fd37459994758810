import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { calculateJwkThumbprint } from 'jose'
import { test } from 'tap'
import { PolewatchError } from '../../gateway/errors.js'
import { canonicalJson } from '../../gateway/messages/json.js'
import {
  createSigningKey,
  keyId,
  privateKeyPem,
  publicJwkOf,
  publicKeyFromJwk,
  publicKeyFromPem,
  publicKeyPem,
  signingKeyFromPem,
} from '../../gateway/messages/keys.js'
import {
  formatSequence,
  formatStream,
  parseSequence,
  parseStream,
  roles,
  streamClasses,
} from '../../gateway/messages/stream.js'
import { formatTime, parseTime } from '../../gateway/messages/time.js'
import { parseTopic, type TopicPlace, topicFilter, topicFor } from '../../gateway/messages/topics.js'

const code = (expected: string) => ({ name: 'PolewatchError', code: expected })

test('no name can smuggle a level, a wildcard or a space into a topic or a stream', t => {
  const good = { site: 'riverside', gateway: 'pole-17', cell: 'dppn5', id: 'picture-1', name: 'status' }
  const hostile = [
    '',
    '+',
    '#',
    'a/b',
    '../x',
    '$SYS',
    'a+',
    'Pole',
    'a b',
    'a\u0000',
    'a\n',
    'é',
    '-a',
    'a'.repeat(200),
  ]
  const evidence = (place: Partial<TopicPlace>) => () => topicFor('evidence', { ...good, ...place })
  for (const name of hostile) {
    t.throws(evidence({ site: name }), code('PW_TOPIC_INVALID'), `site ${JSON.stringify(name)}`)
    t.throws(evidence({ gateway: name }), code('PW_TOPIC_INVALID'))
    t.throws(evidence({ id: name }), code('PW_TOPIC_INVALID'))
    t.throws(() => topicFor('command', { ...good, name }), code('PW_TOPIC_INVALID'))
    t.throws(() => topicFor('arrival', { ...good, cell: name }), code('PW_TOPIC_INVALID'))
    t.throws(() => topicFilter('gunfire', { gateway: name }), code('PW_TOPIC_INVALID'))
    t.throws(
      () => formatStream({ site: name, gateway: 'a', role: 'sensing', priority: 'rest' }),
      code('PW_STREAM_INVALID'),
    )
  }
  t.throws(() => topicFor('evidence', { site: 'a', gateway: 'b' }), code('PW_TOPIC_INVALID'), 'an id that is missing')
  t.throws(
    () => topicFor('arrival', { ...good, cell: 'alert' }),
    code('PW_TOPIC_INVALID'),
    'letters that no geohash has',
  )
  t.throws(evidence({ gateway: 'arrivals' }), code('PW_TOPIC_INVALID'), 'the neighbours have that level')

  const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.stringMatching(/^[a-z0-9+#$/-]{1,6}$/))
  fc.assert(
    fc.property(anything, anything, (site, gateway) => {
      let topic: string
      try {
        topic = topicFor('gunfire', { site, gateway })
      } catch (error) {
        return error instanceof PolewatchError && parseStream(`/${site}/${gateway}/sensing/rest`) === null
      }
      const parsed = parseTopic(topic)
      return parsed?.site === site && parsed.gateway === gateway && !/[+#$]/.test(topic)
    }),
    { numRuns: 300 },
  )
  t.end()
})

test('topics are the designed ones, and topics of others are not read', t => {
  const place = { site: 'riverside', gateway: 'pole-17' }
  t.equal(topicFor('gunfire', place), 'polewatch/v1/riverside/pole-17/alert/gunfire')
  t.equal(topicFor('acknowledgement', place), 'polewatch/v1/riverside/pole-17/ack')
  t.equal(topicFor('arrival', { ...place, cell: 'dppn5' }), 'polewatch/v1/riverside/arrivals/dppn5/pole-17')
  t.equal(topicFor('command', { ...place, name: 'log-level' }), 'polewatch/v1/riverside/pole-17/command/log-level')
  t.equal(topicFilter('gunfire'), 'polewatch/v1/+/+/alert/gunfire')
  t.equal(topicFilter('arrival', { site: 'riverside', cell: 'dppn5' }), 'polewatch/v1/riverside/arrivals/dppn5/+')
  t.same(parseTopic('polewatch/v1/riverside/pole-17/command/verdict')?.messages, ['verdict', 'command'])
  t.same(parseTopic('polewatch/v1/riverside/arrivals/dppn5/pole-17')?.messages, ['arrival', 'claim'])
  for (const topic of [
    '',
    'polewatch/v1',
    'polewatch/v2/a/b/status',
    'polewatch/v1/a/b/status/',
    'polewatch/v1/a/+/status',
    'x/y',
  ]) {
    t.equal(parseTopic(topic), null, topic)
  }
  t.end()
})

test('streams and numbers are read as they were written', t => {
  for (const role of roles) {
    for (const priority of streamClasses) {
      const stream = { site: 'riverside', gateway: 'pole-17', role, priority }
      t.same(parseStream(formatStream(stream)), stream)
    }
  }
  for (const text of [
    '/a/b/sensing',
    '/a/b/sensing/rest/',
    'a/b/sensing/rest',
    '/a/b/root/rest',
    '/a/b/sensing/all',
    '/a/arrivals/sensing/rest',
  ]) {
    t.equal(parseStream(text), null, text)
  }
  t.equal(formatSequence(42), '00000000000000000042')
  t.equal(parseSequence(formatSequence(2n ** 63n)), 2n ** 63n)
  for (const text of ['42', '00000000000000000000', '000000000000000000042', '-0000000000000000042'])
    t.equal(parseSequence(text), null)
  t.throws(() => formatSequence(2 ** 53), code('PW_STREAM_INVALID'), 'a number that may be another')
  t.end()
})

test('times keep their microseconds, and no text that is not a time is read as one', t => {
  t.equal(formatTime(1545180568.543), '2018-12-19T00:49:28.543Z')
  t.equal(formatTime(1545180568 + 0.9999997, 6), '2018-12-19T00:49:29.000000Z')
  t.equal(formatTime(-0.25), '1969-12-31T23:59:59.750Z')
  t.equal(parseTime('2018-12-19T00:49:28.543Z'), 1545180568.543)
  t.equal(parseTime('2018-12-19T00:49:28Z'), 1545180568)
  for (const text of [
    '2018-12-19T00:49:28',
    '2018-12-19T00:49:28+01:00',
    '2018-02-30T00:00:00Z',
    '2018-12-19T24:00:00Z',
    '2018-12-19 00:49:28Z',
    '20181219T004928Z',
  ]) {
    t.ok(Number.isNaN(parseTime(text)), text)
  }
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 1e15, -1e15]) t.throws(() => formatTime(wrong), RangeError)
  fc.assert(
    fc.property(fc.integer({ min: -1e9, max: 4e9 }), fc.nat(999_999), (whole, micro) => {
      const text = formatTime(whole + micro / 1e6, 6)
      return formatTime(parseTime(text), 6) === text && Math.abs(parseTime(text) - whole - micro / 1e6) < 1e-6
    }),
  )
  t.end()
})

test('a key is named by its RFC 7638 thumbprint and survives being written down', async t => {
  // RFC 8037, appendix A.3.
  const known = publicKeyFromJwk({ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' })
  t.equal(keyId(known), 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k')
  const key = createSigningKey()
  t.equal(key.kid, await calculateJwkThumbprint(publicJwkOf(key.publicKey)))
  t.equal(signingKeyFromPem(privateKeyPem(key)).kid, key.kid)
  t.equal(keyId(publicKeyFromPem(publicKeyPem(key.publicKey))), key.kid)
  t.notMatch(publicKeyPem(key.publicKey), /PRIVATE/)
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  for (const pem of ['', 'no key', rsa.toString(), privateKeyPem(key).slice(0, 80)]) {
    t.throws(() => signingKeyFromPem(pem), code('PW_KEY_INVALID'))
  }
  t.throws(() => publicKeyFromJwk({ kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }), code('PW_KEY_INVALID'))
})

test('the canonical form is that of RFC 8785', t => {
  // RFC 8785, sections 3.2.2 and 3.2.3, and numbers of appendix B.
  const example = {
    numbers: JSON.parse('[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]'),
    string: '\u20ac$\u000f\nA\'B"\\\\"/',
    literals: [null, true, false],
  }
  t.equal(
    canonicalJson(example),
    '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
  )
  const names = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 }
  t.equal(canonicalJson(names), '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}')
  t.equal(
    canonicalJson(JSON.parse('[-0, 1e21, 1e-7, 5e-324, 9007199254740993]')),
    '[0,1e+21,1e-7,5e-324,9007199254740992]',
  )
  for (const value of [
    undefined,
    { a: undefined },
    Number.NaN,
    [Number.NEGATIVE_INFINITY],
    '\udc00',
    { '\ud800': 1 },
    JSON.parse('{"__proto__": 1}'),
    new Date(0),
    1n,
    new Map(),
  ]) {
    t.throws(() => canonicalJson(value), TypeError)
  }
  // A property named __proto__ is refused, as the messages' test shows.
  const jsonValue = fc.jsonValue({ maxDepth: 5 }).filter(value => !JSON.stringify(value).includes('"__proto__":'))
  fc.assert(
    fc.property(jsonValue, value => {
      const text = canonicalJson(value)
      return canonicalJson(JSON.parse(text)) === text
    }),
  )
  t.end()
})
