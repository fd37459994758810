import { join } from 'node:path'
import * as z from 'zod'
import { watchBells } from '../../gateway/journal/bell.js'
import { publicKeyFromPem, signingKeyFromPem } from '../../gateway/messages/keys.js'
import { openEnvelope } from '../../gateway/messages/seal.js'
import { Uplink } from './gateway.js'

/*
 * The uplink process of the benchmark: delivers until it is killed. Writes how long the backlog took, and when each gunshot was
 * handed to the network.
 */

const settings = z
  .object({
    folder: z.string(),
    bells: z.string(),
    broker: z.string(),
    uplinkKey: z.string(),
    sensingKey: z.string(),
    hubKey: z.string(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))
const { folder, broker } = settings

const uplink = new Uplink({
  gateway: 'pole-1',
  folder,
  broker,
  uplinkKey: signingKeyFromPem(settings.uplinkKey),
  sensingKey: signingKeyFromPem(settings.sensingKey),
  hubKeys: [publicKeyFromPem(settings.hubKey)],
  session: { clientId: 'bench-uplink' },
  onSend: ({ topic, payload }) => {
    if (!topic.endsWith('/gunfire')) return
    const sent = performance.timeOrigin + performance.now()
    // Not while it is on its way.
    setTimeout(() => {
      const { source, sequence } = openEnvelope(payload)
      process.stdout.write(`${source}#${sequence} ${sent}\n`)
    }, 10)
  },
})
const signal = new AbortController().signal
let began: number | null = null
let ended = false
uplink.session.observe(({ state }) => {
  if (state !== 'online' || began !== null) return
  began = performance.now()
  process.stdout.write('online\n')
})
setInterval(() => {
  const faults = uplink.deliverer.streams().find(({ source }) => source.endsWith('/fault'))
  if (began === null || ended || faults === undefined || faults.acknowledged < faults.last) return
  ended = true
  const { sent, sentAgain } = uplink.deliverer.counters()
  process.stdout.write(`${JSON.stringify({ milliseconds: performance.now() - began, sent, sentAgain })}\n`)
}, 5)
process.on('SIGTERM', () => process.exit())
const heard = (bells: ReadonlySet<string>) => {
  if (bells.has('sensing')) uplink.heard(join(settings.bells, 'sensing.bell'))
  uplink.deliverer.wake()
}
await watchBells(settings.bells, heard, { signal })
