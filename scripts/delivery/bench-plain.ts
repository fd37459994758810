import { join } from 'node:path'
import mqtt from 'mqtt'
import * as z from 'zod'
import { JournalReader } from '../../gateway/journal/reader.js'

/*
 * Bare mqtt.js for the benchmark: reads the backlog into memory, then publishes it with QoS 1 and so many in flight, and
 * writes how long that took from the first message to the last acknowledgement.
 */

const { folder, broker, window } = z
  .object({ folder: z.string(), broker: z.string(), window: z.number() })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const reader = new JournalReader(join(folder, 'sensing.journal.db'))
const stream = reader.streams().find(({ source }) => source.endsWith('/fault'))
const alerts = stream === undefined ? [] : reader.read(stream.source, stream.epoch, 0, 1e9)
reader.close()
const client = await mqtt.connectAsync(broker, { protocolVersion: 5, clientId: 'bench-plain' })
const began = performance.now()
await new Promise<void>(resolve => {
  let next = 0
  let answered = 0
  const send = () => {
    const alert = alerts[next]
    if (alert === undefined) return
    next += 1
    client.publish(`plain/${alert.topic}`, alert.bytes, { qos: 1 }, () => {
      answered += 1
      if (answered === alerts.length) resolve()
      else send()
    })
  }
  for (let index = 0; index < window; index += 1) send()
})
process.stdout.write(
  `${JSON.stringify({ milliseconds: performance.now() - began, sent: alerts.length, sentAgain: 0 })}\n`,
)
await client.endAsync()
