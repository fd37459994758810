import mqtt from 'mqtt'
import * as z from 'zod'
import { paced } from './pace.js'

/*
 * What one would write with mqtt.js alone, to be killed: publishes QoS 1 in a session that the broker keeps, with the
 * store that the library has by default, and writes the number of each alert that it handed to the library.
 */

const { broker, tls, first, last, interval } = z
  .object({
    broker: z.string(),
    tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }),
    first: z.number(),
    last: z.number(),
    interval: z.number(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const client = mqtt.connect(broker, { ...tls, clientId: 'plain-sender', clean: false })
client.on('error', () => undefined)
await paced(first, last, interval, number => {
  client.publish('plain/alert', String(number), { qos: 1 }, () => undefined)
  process.stdout.write(`${number}\n`)
})
