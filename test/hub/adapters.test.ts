import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { CloudEvent, HTTP } from 'cloudevents'
import { XMLParser } from 'fast-xml-parser'
import { test } from 'tap'
import { validateXML } from 'xmllint-wasm'
import { CapWriter, cursorOnTargetOf, geoJsonOf, postToWebhook } from '../../gateway/hub/index.js'
import { type JsonObject, parseJsonObject } from '../../gateway/messages/json.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { formatSequence } from '../../gateway/messages/stream.js'
import type { MessageData, MessageEvent } from '../../gateway/messages/table.js'

const root = process.cwd()
const file = (name: string) => readFileSync(join(root, name), 'utf8')
const sender = 'hub@city.example'

function golden(name: string): JsonObject {
  return parseJsonObject(readFileSync(join(root, `test/golden/messages/${name}.json`)))
}

function opened(event: JsonObject) {
  return openEvent(Buffer.from(JSON.stringify(event)))
}

/** The golden gunfire with another number and with changes. */
function gunfire(change: Partial<MessageData<'gunfire'>> = {}, envelope: JsonObject = {}): MessageEvent<'gunfire'> {
  const event = golden('gunfire')
  const { data } = openGunfire(event)
  return openGunfire({ ...event, ...envelope, data: { ...data, ...change } })
}

function numbered(sequence: number): JsonObject {
  return { id: `5c2e0a7b91d4-${sequence}`, sequence: formatSequence(sequence) }
}

function openGunfire(event: JsonObject): MessageEvent<'gunfire'> {
  const message = opened(event)
  if (message.name !== 'gunfire') throw new Error('not gunfire')
  return message
}

function plateHit(): MessageEvent<'plate-hit'> {
  const message = opened(golden('plate-hit'))
  if (message.name !== 'plate-hit') throw new Error('not a hit')
  return message
}

function tamper(): MessageEvent<'tamper'> {
  const message = opened(golden('tamper'))
  if (message.name !== 'tamper') throw new Error('not tampering')
  return message
}

const [locatedShot] = gunfire().data.shots
if (locatedShot === undefined) throw new Error('the golden gunfire has a shot')
const bearing = { azimuth: 120, elevation: null, error: 3 }
const heardShot = { ...locatedShot, position: null, uncertainty: null, bearing }
const placeOf = () => ({ latitude: 40.44, longitude: -79.99 })
const parser = new XMLParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  parseTagValue: false,
  processEntities: true,
})

async function problems(xml: string, schema: string): Promise<readonly string[]> {
  const { errors } = await validateXML({
    xml: [{ fileName: 'alert.xml', contents: xml }],
    schema: file(`test/hub/schemas/${schema}`),
  })
  return errors.map(({ message }) => message)
}

test('gunfire and hits become GeoJSON that its schema takes, the ellipse round the shot', t => {
  const schema = parseJsonObject(readFileSync(join(root, 'node_modules/geojson-schema/FeatureCollection.json')))
  const validate = new Ajv({ strict: false }).compile(schema)
  const taken = (collection: unknown) => {
    validate(collection)
    return validate.errors ?? []
  }
  const collection = geoJsonOf(gunfire({ shots: [locatedShot, heardShot] }))
  t.same(taken(collection), [])
  t.same(
    collection.features.map(({ id, geometry }) => [id, geometry?.type ?? null]),
    [
      ['pole-17-5c2e0a7b91d4-42/1', 'Point'],
      ['pole-17-5c2e0a7b91d4-42/1/ellipse', 'Polygon'],
      ['pole-17-5c2e0a7b91d4-42/2', null],
    ],
  )
  const [point, polygon, heard] = collection.features
  t.same(point?.geometry?.coordinates, [-79.9931, 40.4412], 'longitude first')
  t.match(point?.properties, {
    exercise: false,
    state: 'provisional',
    semiMajor: 9.1,
    heardBy: ['pole-17', 'pole-04', 'pole-09', 'pole-21'],
  })
  t.same(heard?.properties.bearing, bearing)
  const ring = polygon?.geometry?.type === 'Polygon' ? (polygon.geometry.coordinates[0] ?? []) : []
  t.same(ring[0], ring.at(-1), 'the ring is closed')
  t.ok(signedArea(ring) > 0, 'and runs counterclockwise')
  const reach = ring.map(([longitude = 0, latitude = 0]) =>
    Math.hypot((longitude + 79.9931) * 111_320 * Math.cos((40.4412 * Math.PI) / 180), (latitude - 40.4412) * 111_050),
  )
  t.ok(Math.abs(Math.max(...reach) - 9.1) < 0.1, 'the long half axis is right')
  t.ok(Math.abs(Math.min(...reach) - 4.2) < 0.1, 'and the short one')
  const [east = 0, north = 0] = farthest(ring, reach)
  const degrees = (Math.atan2(east * Math.cos((40.4412 * Math.PI) / 180), north) * 180) / Math.PI
  t.ok(Math.abs((((degrees % 180) + 180) % 180) - 37) < 6, 'the long axis points where it should')

  const hit = geoJsonOf(plateHit(), placeOf)
  t.same(taken(hit), [])
  t.match(hit.features, [
    { id: plateHit().data.hit, properties: { exercise: true, tier: 'possible', unverified: true } },
  ])
  t.equal(geoJsonOf(plateHit()).features[0]?.geometry, null, 'a gateway of which no place is known')
  t.end()
})

function signedArea(ring: readonly (readonly number[])[]): number {
  return ring.slice(1).reduce((sum, [x = 0, y = 0], index) => {
    const [before = 0, below = 0] = ring[index] ?? []
    return sum + (before * y - x * below) / 2
  }, 0)
}

function farthest(ring: readonly (readonly number[])[], reach: readonly number[]): [number, number] {
  const [x = 0, y = 0] = ring[reach.indexOf(Math.max(...reach))] ?? []
  return [x + 79.9931, y - 40.4412]
}

test('an incident becomes a CAP 1.2 alert, then updates of it, then its cancellation', async t => {
  const writer = new CapWriter({ sender })
  const documents = [
    gunfire(),
    gunfire({ revision: 2, state: 'final', shots: [locatedShot, heardShot] }, numbered(18)),
    gunfire({ revision: 3, state: 'withdrawn', shots: [] }, numbered(19)),
  ].map(event => writer.write(event) ?? '')
  for (const xml of documents) t.same(await problems(xml, 'cap-1.2.xsd'), [])
  const alerts = documents.map(xml => parser.parse(xml).alert)
  const identifier = 'riverside.pole-17.sensing.gunfire.5c2e0a7b91d4'
  t.same(
    alerts.map(({ identifier: id, msgType, status, references }) => [id, msgType, status, references]),
    [
      [`${identifier}-17`, 'Alert', 'Actual', undefined],
      [`${identifier}-18`, 'Update', 'Actual', `${sender},${identifier}-17,2018-12-19T00:49:30-00:00`],
      [
        `${identifier}-19`,
        'Cancel',
        'Actual',
        `${sender},${identifier}-17,2018-12-19T00:49:30-00:00 ${sender},${identifier}-18,2018-12-19T00:49:30-00:00`,
      ],
    ],
  )
  t.match(alerts[0].info, { certainty: 'Likely', urgency: 'Immediate', onset: '2018-12-19T00:49:28-00:00' })
  t.match(alerts[0].info.area.polygon, /^40\.44\d+,-79\.99\d+ /, 'latitude first')
  t.match(alerts[1].info.headline, '2 shots')
  t.match(alerts[2].info, { urgency: 'Past', description: 'Withdrawn: it was a mistake.' })

  t.equal(new CapWriter({ sender }).write(gunfire({ state: 'withdrawn', shots: [] })), null, 'nothing to cancel')
  t.throws(() => new CapWriter({ sender: 'a, b' }), RangeError)
  t.notOk(
    (await problems((documents[0] ?? '').replace('Actual', 'Real'), 'cap-1.2.xsd')).length === 0,
    'the schema refuses',
  )
})

test('an exercise is told by every format, where machines and where people look', async t => {
  const exercise = gunfire({}, { exercise: true })
  const cap = new CapWriter({ sender }).write(exercise) ?? ''
  t.same(await problems(cap, 'cap-1.2.xsd'), [])
  t.match(parser.parse(cap).alert, { status: 'Exercise', note: /test or a drill/, info: { headline: /^EXERCISE\./ } })
  const [cot = ''] = cursorOnTargetOf(exercise)
  t.match(parser.parse(cot).event, { '@opex': 'e-polewatch', detail: { contact: { '@callsign': /^EXERCISE\./ } } })
  t.ok(geoJsonOf(exercise).features.every(({ properties }) => properties.exercise === true))
  for (const event of [plateHit(), tamper()]) {
    const xml = new CapWriter({ sender }).write(event) ?? ''
    t.same(await problems(xml, 'cap-1.2.xsd'), [])
    t.equal(parser.parse(xml).alert.status, event.exercise ? 'Exercise' : 'Actual')
  }
})

test('each shot becomes a Cursor-on-Target event, stale at once when withdrawn; text is escaped', async t => {
  const events = cursorOnTargetOf(gunfire({ shots: [locatedShot, heardShot, locatedShot] }))
  t.equal(events.length, 2, 'one a position')
  for (const xml of events) t.same(await problems(xml, 'cursor-on-target.xsd'), [])
  const first = parser.parse(events[0] ?? '').event
  t.match(first, {
    '@uid': 'pole-17-5c2e0a7b91d4-42.1',
    '@opex': 'o-polewatch',
    '@start': '2018-12-19T00:49:28.543Z',
    '@time': '2018-12-19T00:49:30.214Z',
    '@stale': '2018-12-19T00:59:30.214Z',
    point: { '@lat': '40.4412', '@lon': '-79.9931', '@ce': '9.1', '@hae': '9999999.0' },
    detail: { shape: { ellipse: { '@major': '9.1', '@minor': '4.2', '@angle': '37' } } },
  })
  t.equal(first.point['@le'], '9999999.0', 'no height, no error of it')
  const { position, uncertainty } = locatedShot
  const high = {
    ...locatedShot,
    position: position && { ...position, altitude: 263.5 },
    uncertainty: uncertainty && { ...uncertainty, altitudeError: 2.5 },
  }
  const [raised = ''] = cursorOnTargetOf(gunfire({ shots: [high] }))
  t.same(await problems(raised, 'cursor-on-target.xsd'), [])
  t.match(parser.parse(raised).event.point, { '@hae': '263.5', '@le': '4.9' }, 'with 95 % confidence, as the radius')
  const [withdrawn = ''] = cursorOnTargetOf(gunfire({ state: 'withdrawn' }))
  const gone = parser.parse(withdrawn).event
  t.equal(gone['@stale'], gone['@time'])
  t.same(cursorOnTargetOf(plateHit()), [], 'a hit of a gateway without a place cannot be drawn')
  const hit = plateHit()
  const odd = { ...hit, data: { ...hit.data, plate: '<&">' } }
  const [hitXml = ''] = cursorOnTargetOf(odd, { placeOf })
  t.same(await problems(hitXml, 'cursor-on-target.xsd'), [])
  t.match(parser.parse(hitXml).event.detail.contact['@callsign'], '<&">')
})

test('a webhook gets the event as it came, again until it takes it, and an error that no repetition mends ends it', async t => {
  const answers = [503, 429, 204, 403]
  const received: { type: string | undefined; authorization: string | undefined; body: string }[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(Buffer.from(chunk))
    const { authorization, 'content-type': type } = request.headers
    received.push({ type, authorization, body: Buffer.concat(chunks).toString() })
    response.writeHead(answers.shift() ?? 500).end()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${portOf(server.address())}/alerts?token=secret`
  const event = gunfire()
  await postToWebhook(event, { url, headers: { authorization: 'Bearer x' }, longestWait: 0.01 })
  t.equal(received.length, 3)
  t.match(received[2], { type: /^application\/cloudevents\+json/, authorization: 'Bearer x' })
  t.same(JSON.parse(received[2]?.body ?? ''), golden('gunfire'))
  const { type = '', body = '' } = received[2] ?? {}
  const read = HTTP.toEvent({ headers: { 'content-type': type }, body })
  t.ok(read instanceof CloudEvent && read.validate(), 'the SDK of CloudEvents takes it, by its schema')
  const refusal = await postToWebhook(event, { url, longestWait: 0.01 }).catch((error: unknown) => error)
  t.match(refusal, { code: 'PW_WEBHOOK_REFUSED', message: /status 403/ })
  t.notMatch(refusal, { message: /secret/ })
  const abort = new AbortController()
  const waiting = postToWebhook(event, { url: 'http://127.0.0.1:1/', signal: abort.signal })
  abort.abort()
  await t.rejects(waiting, { name: 'AbortError' })
})

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
