import { join } from 'node:path'
import mqtt from 'mqtt'
import * as z from 'zod'
import { JournalReader } from '../../gateway/journal/reader.js'
import { paced } from './pace.js'

/*
 * Bare mqtt.js for the benchmark. Given a window it reads the backlog into memory, then publishes it with QoS 1 and so many in
 * flight, and writes how long that took from the first message to the last acknowledgement. Given an interval it publishes a
 * message of an alert's size so often, with the time it was made.
 */

const settings = z
  .union([
    z.object({ folder: z.string(), broker: z.string(), window: z.number() }),
    z.object({ broker: z.string(), count: z.number(), interval: z.number() }),
  ])
  .parse(JSON.parse(process.argv[2] ?? '{}'))
const client = await mqtt.connectAsync(settings.broker, { protocolVersion: 5, clientId: 'bench-plain' })
if ('window' in settings) await drain(settings.folder, settings.window)
else {
  await paced(1, settings.count, settings.interval, () => {
    client.publish('plain/hop', String(performance.timeOrigin + performance.now()).padEnd(700), { qos: 1 })
  })
}
await client.endAsync()

async function drain(folder: string, window: number): Promise<void> {
  const reader = new JournalReader(join(folder, 'sensing.journal.db'))
  const stream = reader.streams().find(({ source }) => source.endsWith('/fault'))
  const alerts = stream === undefined ? [] : reader.read(stream.source, stream.epoch, 0, 1e9)
  reader.close()
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
}
