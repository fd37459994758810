import { openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { signingKeyFromPem } from '../../gateway/messages/keys.js'
import { randomFrom } from './crash-plan.js'
import { faultDraft, gunfireDraft } from './drafts.js'
import { Sensing } from './gateway.js'

/*
 * The writer whose power is cut: appends bursts of alerts of many sizes and deletes what a hub would have acknowledged. Adds to
 * the file `told` in its folder `source#sequence` for each alert that was confirmed and `acknowledged SOURCE SEQUENCE` before
 * it deletes.
 */

const { folder, key, alerts, seed } = z
  .object({ folder: z.string(), key: z.string(), alerts: z.number(), seed: z.number() })
  .parse(JSON.parse(process.argv[2] ?? '{}'))

const random = randomFrom(seed)
const told = openSync(join(folder, 'told'), 'a')
const sensing = new Sensing({ gateway: 'pole-1', folder, sensingKey: signingKeyFromPem(key) })
const newest = new Map<string, number>()
for (let appended = 0; appended < alerts; ) {
  const burst = 1 + Math.floor(random() ** 3 * 12)
  appended += burst
  await Promise.all(
    Array.from({ length: burst }, async (_, index) => {
      const detail = 'x'.repeat(Math.floor(random() ** 4 * 900))
      const place = await sensing.append(index % 2 === 0 ? gunfireDraft(`incident-${appended}`) : faultDraft(detail))
      writeSync(told, `${place}\n`)
      const [source = '', sequence = ''] = place.split('#')
      newest.set(source, Number(sequence))
    }),
  )
  if (random() > 0.04) continue
  const acknowledged = new Map([...newest].map(([source, last]) => [source, Math.floor(last * random())]))
  for (const [source, sequence] of acknowledged) writeSync(told, `acknowledged ${source} ${sequence}\n`)
  await sensing.journal.purge(source => acknowledged.get(source) ?? 0)
}
process.exit()
