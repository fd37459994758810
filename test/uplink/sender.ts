import * as z from 'zod'
import { publicKeyFromPem, signingKeyFromPem } from '../../gateway/messages/keys.js'
import { faultDraft } from './events.js'
import { TestGateway } from './gateway.js'

/*
 * A gateway as a process that can be killed: appends an alert every `interval` milliseconds until `total` are in its journal,
 * prints the number of each that was confirmed, and delivers meanwhile.
 */

const settings = z
  .object({
    gateway: z.string(),
    folder: z.string(),
    broker: z.string(),
    uplinkKey: z.string(),
    sensingKey: z.string(),
    hubKey: z.string(),
    total: z.number(),
    interval: z.number(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const gateway = new TestGateway({
  gateway: settings.gateway,
  folder: settings.folder,
  broker: settings.broker,
  uplinkKey: signingKeyFromPem(settings.uplinkKey),
  sensingKey: signingKeyFromPem(settings.sensingKey),
  hubKeys: [publicKeyFromPem(settings.hubKey)],
})

let confirmed = Number(process.argv[3] ?? '0')
while (confirmed < settings.total) {
  const number = (await gateway.append(faultDraft('one of many'))).split('#')[1] ?? ''
  confirmed = Number(number)
  process.stdout.write(`${number}\n`)
  await new Promise(resolve => setTimeout(resolve, settings.interval))
}
