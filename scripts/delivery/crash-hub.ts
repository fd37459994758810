import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { connectHub } from '../../gateway/hub/index.js'
import { signingKeyFromPem } from '../../gateway/messages/keys.js'
import { site } from './drafts.js'

/*
 * The hub of the crash test, to be killed: records each event in the file `received` and everything that is not an event in
 * `told`. At its start it tells the hub module what it has recorded.
 */

const { folder, broker, tls, hubKey, share } = z
  .object({
    folder: z.string(),
    broker: z.string(),
    tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }).optional(),
    share: z.string().optional(),
    hubKey: z.string(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const received = join(folder, 'received')
const recorded = existsSync(received)
  ? readFileSync(received, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => {
        const [source = '', epoch = '', sequence = ''] = line.split(' ')
        return { source, epoch, sequence: Number(sequence) }
      })
  : []

const hub = await connectHub({
  url: broker,
  site,
  ...(tls === undefined ? {} : { tls }),
  ...(share === undefined ? {} : { share }),
  signingKey: signingKeyFromPem(hubKey),
  stateFile: join(folder, 'hub.state'),
  recorded,
})
process.stdout.write('ready\n')
for await (const output of hub) {
  if (output.kind === 'event') {
    const { source, epoch, sequence } = output.envelope
    appendFileSync(received, `${source} ${epoch} ${sequence}\n`)
  } else if (output.kind !== 'live') appendFileSync(join(folder, 'told'), `${JSON.stringify(output)}\n`)
}
