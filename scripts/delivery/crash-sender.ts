import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { publicKeyFromPem, signingKeyFromPem } from '../../gateway/messages/keys.js'
import { faultDraft, gunfireDraft } from './drafts.js'
import { PolelessGateway } from './gateway.js'
import { paced } from './pace.js'

/*
 * The sender of the crash test, to be killed: appends an alert every `interval` milliseconds from number `first` to `last`,
 * and writes `number source#sequence` for each that was confirmed. What it hands to the network goes to the file `sent`.
 */

const settings = z
  .object({
    folder: z.string(),
    broker: z.string(),
    tls: z.object({ ca: z.string(), cert: z.string(), key: z.string() }),
    uplinkKey: z.string(),
    sensingKey: z.string(),
    hubKey: z.string(),
    first: z.number(),
    last: z.number(),
    interval: z.number(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))
const { folder, broker, tls, first, last, interval } = settings

const sent = openSync(join(folder, 'sent'), 'a')
const gateway = new PolelessGateway({
  gateway: 'pole-1',
  folder,
  broker,
  uplinkKey: signingKeyFromPem(settings.uplinkKey),
  sensingKey: signingKeyFromPem(settings.sensingKey),
  hubKeys: [publicKeyFromPem(settings.hubKey)],
  session: { tls },
  onSend: ({ payload }) => {
    const { source, sequence } = z
      .object({ source: z.string(), sequence: z.string() })
      .parse(JSON.parse(String(payload)))
    writeSync(sent, `${source}#${Number(sequence)}\n`)
  },
})

await paced(first, last, interval, number => {
  const draft = number % 10 === 0 ? gunfireDraft(`incident-${number}`) : faultDraft(`number ${number}`)
  void gateway.append(draft).then(place => process.stdout.write(`${number} ${place}\n`))
})
