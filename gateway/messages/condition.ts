import * as z from 'zod'
import {
  azimuth,
  count,
  eventReference,
  gatewayName,
  gatewayRole,
  identifier,
  policyHash,
  position,
  seconds,
  sentence,
  sha256,
  siteName,
  time,
} from './fields.js'

/** What a gateway says of itself: what it is, how it fares, what it did; and evidence that was asked for. */

const version = z.string().min(1).max(64).describe('Of polewatch.')
const session = identifier('The session with the broker; birth and will of one session carry the same.')
const part = z.string().min(1).max(64).describe('As the configuration names it.')

export const status = z.object({
  state: z.enum(['online', 'offline']),
  session,
  since: time('When the session began.'),
  version,
})

const partHealth = z.object({
  part,
  role: gatewayRole,
  state: z.enum(['ready', 'absent', 'faulty']),
  fault: z.string().max(64).nullable().describe('Name of the fault; null while ready.'),
  detail: sentence('For a person.'),
  since: time('Of this state.'),
  counters: z
    .record(z.string(), z.number())
    .describe('Counts since the process started, such as blocks, dropped, reads. They only grow.'),
  values: z
    .record(z.string(), z.number())
    .optional()
    .describe('What it measures or has counted of this hour, day or month: it rises and falls.'),
})

const clockHealth = z.object({
  offset: z.number().describe('Add it to the system clock to get UTC. Seconds.'),
  error: seconds('One standard deviation; null where nothing is known.').nullable(),
  source: z.string().max(64).describe('What the clock follows, such as PPS, GNSS, NTP or none.'),
  age: seconds('Since the source was last heard; null where it never was.').nullable(),
})

const journalHealth = z.object({
  role: gatewayRole,
  bytes: count('Size of the files. Bytes.'),
  limit: count('Where shedding begins. Bytes.'),
  waiting: count('Alerts that the hub has not acknowledged.'),
  shed: count('Alerts given up, as far back as the audit chain goes.'),
})

const measured = (description: string) =>
  z.number().nullable().describe(`${description} Null where it is not measured.`)

const machineHealth = z.object({
  temperature: measured('Of the processor. Celsius.'),
  load: measured('Mean number of running processes over one minute.'),
  memoryFree: measured('Bytes.'),
  storageFree: measured('Of the state folder. Bytes.'),
  storageWritten: measured('To flash since the machine started. Bytes.'),
  undervoltage: z
    .boolean()
    .nullable()
    .describe('Whether the supply sagged since the machine started; null where not measured.'),
  throttled: z.boolean().nullable().describe('Whether the processor is slowed down; null where not measured.'),
})

export const health = z.object({
  session,
  uptime: seconds('Since the process started.'),
  state: z
    .enum(['good', 'degraded', 'failed'])
    .describe('degraded: it works with less; failed: it can no longer do one of its jobs.'),
  parts: z.array(partHealth),
  clock: clockHealth.nullable().describe('Null where nobody has asked the clock yet.'),
  journals: z.array(journalHealth),
  machine: machineHealth,
})

/** The public half of a signing key, RFC 8037. */
export const publicJwk = z
  .object({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    x: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/)
      .describe('The public key, base64url.'),
  })
  .describe('A public key, RFC 8037.')

const certifiedKey = z.object({
  role: gatewayRole,
  kid: z
    .string()
    .regex(/^[A-Za-z0-9_-]{43}$/)
    .describe('RFC 7638 thumbprint of the key, base64url.'),
  jwk: publicJwk,
  from: time('When the key came into use.'),
})

export const capabilities = z.object({
  site: siteName,
  gateway: gatewayName,
  version,
  position: position.nullable().describe('Where it stands; null where it was never surveyed.'),
  positionError: z.number().nonnegative().nullable().describe('One standard deviation a horizontal axis. Metres.'),
  arrays: z.array(
    z.object({
      name: part,
      geometry: z.string().min(1).max(64).describe('The device file that describes it.'),
      channels: z.int().positive(),
      sampleRate: z.number().positive().describe('Hertz.'),
      heading: azimuth('Of the array.'),
    }),
  ),
  readers: z.array(
    z.object({
      name: part,
      kind: z.enum(['reader', 'camera']),
      layout: z.string().max(64).nullable().describe('The device file that describes its lines; null for a camera.'),
    }),
  ),
  keys: z.array(certifiedKey).describe('The keys that sign for this gateway, old ones included.'),
  messages: z.array(z.string().max(128)).describe('The types of message it may send.'),
})

const ofTier = (description: string) => count(`Hits that are ${description}.`)

export const report = z.object({
  from: time('Start of the period.'),
  until: time('End of the period.'),
  scans: count('Plates read, whether or not they matched. No plate that did not match is kept.'),
  hits: z.object({
    confirmedCandidate: ofTier('confirmed candidates'),
    possible: ofTier('possible'),
    investigative: ofTier('investigative'),
  }),
  incidents: count('Incidents of gunfire reported.'),
  shots: count('Shots in them.'),
  alerts: z
    .object({
      gunfire: count('Gunfire.'),
      hit: count('Hits.'),
      fault: count('Tamper and faults.'),
      rest: count('All else.'),
    })
    .describe('Alerts made, by priority.'),
  deliveries: z.object({
    acknowledged: count('Alerts that the hub has acknowledged.'),
    waiting: count('Alerts that it has not.'),
    shed: count('Alerts given up.'),
  }),
  verdicts: z.object({
    confirmed: count('Judged confirmed.'),
    misread: count('Judged misread.'),
    false: count('Judged false.'),
    notWanted: count('Judged not wanted any more.'),
  }),
  purges: count('Records purged because their time was over.'),
  accesses: count('Times that a person or program looked at what is kept.'),
  evidence: z
    .object({
      kept: count('Pieces kept.'),
      released: count('Pieces handed over.'),
      purged: count('Pieces deleted.'),
    })
    .optional()
    .describe('Pictures and sound of alerts.'),
  accessed: z
    .array(
      z.object({
        time: time('Of the access.'),
        what: z.string().max(64).describe('evidence-released, a command, or what was looked at on the unit.'),
        subject: z.string().max(256).describe('What it was about.'),
        by: z.string().max(128).describe('The role at the hub, or the account on the unit.'),
        organisation: z.string().max(256).nullable().describe('The hub; null on the unit itself.'),
        purpose: z.string().max(1000).describe('As it was given.'),
      }),
    )
    .max(200)
    .optional()
    .describe('The newest accesses of the period; `accesses` counts them all.'),
  keepDays: z.record(z.string(), z.number()).optional().describe('How long things are kept by the policy. Days.'),
  policy: policyHash,
  audit: z
    .array(z.object({ role: gatewayRole, length: count('Records in the chain.'), head: sha256('The last record.') }))
    .describe('The heads of the audit chains; keep them to prove that nothing was rewritten.'),
})

export const evidence = z.object({
  id: identifier('The piece of evidence.'),
  command: eventReference.nullable().describe('The command that asked for it.'),
  mediaType: z
    .string()
    .regex(/^[a-z]+\/[a-z0-9.+-]+$/)
    .max(128)
    .describe('RFC 6838, as image/jpeg.'),
  sha256: sha256('Of the whole.'),
  size: count('Of the whole. Bytes.'),
  chunk: z.object({
    index: count('From 0.'),
    count: z.int().positive().describe('How many chunks make the whole.'),
    bytes: z
      .string()
      .regex(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/)
      .meta({ contentEncoding: 'base64', description: 'RFC 4648 base64.' }),
  }),
})
