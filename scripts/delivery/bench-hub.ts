import * as z from 'zod'
import { connectHub } from '../../gateway/hub/index.js'
import { signingKeyFromPem } from '../../gateway/messages/keys.js'
import { site } from './drafts.js'

/* The hub module for the benchmark, which verifies and acknowledges everything: writes when each gunshot came. */

const { broker, hubKey, tls } = z
  .object({
    broker: z.string(),
    hubKey: z.string(),
    tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }).optional(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const hub = await connectHub({
  url: broker,
  site,
  signingKey: signingKeyFromPem(hubKey),
  ...(tls === undefined ? {} : { tls }),
})
const watch = setInterval(() => {
  if (!hub.session.online) return
  clearInterval(watch)
  process.stdout.write('ready\n')
}, 10)
for await (const output of hub) {
  if (output.kind !== 'event' || output.message?.name !== 'gunfire') continue
  const { source, sequence } = output.envelope
  process.stdout.write(`${source}#${sequence} ${performance.timeOrigin + performance.now()}\n`)
}
