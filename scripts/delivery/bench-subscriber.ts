import mqtt from 'mqtt'
import * as z from 'zod'
import { signingKeyFromPem } from '../../gateway/messages/keys.js'
import { formatSequence } from '../../gateway/messages/stream.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { site } from './drafts.js'

/*
 * The other end of the benchmark, the same for both senders: counts what comes, verifies nothing, and acknowledges each
 * stream as a hub does. Writes when each gunshot came.
 */

const { broker, hubKey } = z
  .object({ broker: z.string(), hubKey: z.string() })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const stream = new LiveStream(site, 'hub', 'hub', signingKeyFromPem(hubKey))
const client = await mqtt.connectAsync(broker, { protocolVersion: 5, clientId: 'bench-subscriber' })
/** By stream and epoch: how far it came, and how far that was acknowledged. */
const places = new Map<string, { source: string; epoch: string; reached: number; acknowledged: number }>()
/** More than follows `data`. */
const tailLength = 640
// The form in which polewatch writes its messages is canonical: these names come after `data`, once each.
const fieldOf = (tail: string, name: string): string => {
  const from = tail.lastIndexOf(`"${name}":"`) + name.length + 4
  return tail.slice(from, tail.indexOf('"', from))
}

// The first that comes follows what was acknowledged before.
const beginning = (source: string, epoch: string, reached: number) => ({
  source,
  epoch,
  reached,
  acknowledged: reached,
})

const acknowledge = () => {
  for (const place of places.values()) {
    if (place.reached === place.acknowledged) continue
    place.acknowledged = place.reached
    const data = { stream: place.source, epoch: place.epoch, sequence: formatSequence(place.reached), hub: 'hub' }
    const draft = { name: 'acknowledgement', time: Date.now() / 1000, exercise: true, data } as const
    const { topic, payload } = stream.request(draft, { site, gateway: 'pole-1' })
    client.publish(topic, Buffer.from(payload), { qos: 1 })
  }
}
client.on('message', (topic, payload) => {
  if (topic === 'plain/hop') {
    process.stdout.write(`hop ${performance.timeOrigin + performance.now() - Number(payload)}\n`)
  }
  if (!topic.startsWith('polewatch/')) return
  const tail = payload.toString('latin1', Math.max(0, payload.length - tailLength))
  const [epoch, sequence, source] = [fieldOf(tail, 'epoch'), fieldOf(tail, 'sequence'), fieldOf(tail, 'source')]
  const place = places.get(`${epoch} ${source}`) ?? beginning(source, epoch, Number(sequence) - 1)
  places.set(`${epoch} ${source}`, place)
  if (Number(sequence) === place.reached + 1) place.reached += 1
  if (place.reached - place.acknowledged >= 100) acknowledge()
  if (topic.endsWith('/gunfire')) {
    process.stdout.write(`${source}#${Number(sequence)} ${performance.timeOrigin + performance.now()}\n`)
  }
})
await client.subscribeAsync({ 'plain/#': { qos: 1 }, [`polewatch/v1/${site}/+/alert/#`]: { qos: 1 } })
setInterval(acknowledge, 10)
process.stdout.write('ready\n')
