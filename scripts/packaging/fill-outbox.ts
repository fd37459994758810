import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { DeliveryReader } from '../../gateway/journal/delivery.js'
import { Journal } from '../../gateway/journal/journal.js'
import { signingKeyFromPem } from '../../gateway/messages/keys.js'
import { sealAudit, sealEvent } from '../../gateway/messages/seal.js'
import type { EventDraft } from '../../gateway/messages/table.js'
import { formatTime } from '../../gateway/messages/time.js'

/*
 * Run by scripts/prove-package as sensing's user, on the code of the package, while sensing is stopped: fills its outbox with made-up faults
 * until the first of them has to go.
 *   node fill-outbox.js --site example-city --gateway pole-17 --limit BYTES
 */
const { values } = parseArgs({
  options: {
    site: { type: 'string', default: '' },
    gateway: { type: 'string', default: '' },
    limit: { type: 'string', default: '' },
  },
})
const { site, gateway, limit } = values
const state = '/var/lib/polewatch'
const key = signingKeyFromPem(readFileSync(`${state}/keys/sensing.key`))
const clock = () => Date.now() / 1000
const delivery = new DeliveryReader(`${state}/uplink.delivery.db`)
let full = false
const journal = Journal.open({
  path: `${state}/sensing.journal.db`,
  site,
  gateway,
  role: 'sensing',
  byteLimit: Number(limit),
  clock,
  seal: hash => sealAudit(hash, key),
  // What the hub has makes room first.
  acknowledged: (source, epoch) => delivery.acknowledged(source, epoch),
  onShed: () => {
    full = true
  },
})
let appended = 0
while (!full) {
  appended += 1
  const time = clock()
  const data = { fault: 'silent', code: null, part: 'made-up', state: 'raised', since: formatTime(time) } as const
  const draft: EventDraft<'fault'> = { name: 'fault', time, exercise: true, data: { ...data, detail: `${appended}` } }
  await journal.append({
    priority: 'fault',
    topic: 'alert/fault',
    kind: draft.name,
    exercise: draft.exercise,
    encode: position => sealEvent(draft, position, key),
    audit: { action: 'alert-fault', subject: 'made-up' },
  })
}
process.stdout.write(`${appended} faults were made up; ${journal.held} bytes of ${limit} are held\n`)
journal.close()
delivery.close()
