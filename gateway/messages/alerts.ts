import * as z from 'zod'
import {
  arrivalId,
  bearing,
  count,
  epoch,
  errorCode,
  gatewayName,
  hitId,
  identifier,
  incidentId,
  incidentState,
  kebabName,
  keptEvidence,
  policyHash,
  position,
  probability,
  quality,
  raisedOrCleared,
  range,
  revision,
  seconds,
  sentence,
  sequence,
  soundLevel,
  streamName,
  time,
} from './fields.js'

/** Alerts: what must reach the hub. */

const uncertainty = z
  .object({
    semiMajor: z.number().nonnegative().describe('Half the long axis. Metres.'),
    semiMinor: z.number().nonnegative().describe('Half the short axis. Metres.'),
    orientation: z.number().min(0).max(180).describe('Of the long axis. Degrees clockwise from true north.'),
    confidence: probability('How likely the source lies inside.'),
    altitudeError: z
      .number()
      .nonnegative()
      .optional()
      .describe("One standard deviation of the position's altitude; left out where that is null. Metres."),
  })
  .describe('The ellipse that holds the source with the stated confidence.')

const shotArrival = z.object({
  id: arrivalId,
  gateway: gatewayName,
  time: time('Onset at that gateway.'),
  error: seconds('One standard deviation of the onset.'),
  residual: z
    .number()
    .nullable()
    .describe('How much later than the position explains; null without a position. Seconds.'),
  soundLevel,
})

const shot = z
  .object({
    time: time('Of the discharge; without a position, of the earliest arrival.'),
    timeError: seconds('One standard deviation of the time.'),
    probability: probability('That this is a gunshot.'),
    sound: z
      .enum(['gun', 'firework-like', 'other', 'unsure'])
      .optional()
      .describe(
        'What it sounds like to all gateways that heard it; left out where none could judge. No weapon is told.',
      ),
    position: position.nullable(),
    uncertainty: uncertainty.nullable(),
    corroborated: z
      .boolean()
      .optional()
      .describe(
        'Whether the position would be found without any one of the gateways; if not, one that lies or errs can have moved it. Left out without a position.',
      ),
    bearing: bearing
      .nullable()
      .describe('From the gateway of the first arrival listed; null where its array gives none.'),
    range: range.optional().describe('With the bearing, and only where the physics allows one.'),
    arrivals: z.array(shotArrival).describe('The arrivals that this shot explains.'),
  })
  .refine(
    value => (value.position === null) === (value.uncertainty === null),
    'a position needs its uncertainty, and the reverse',
  )

export const gunfire = z.object({
  incident: incidentId,
  revision,
  state: incidentState,
  mergedInto: incidentId.nullable().describe('The incident that holds the shots of this one now; only when withdrawn.'),
  reviewed: z.boolean().describe('Whether a person has looked at it; gateways say false.'),
  quality,
  weapon: z.literal('unknown').describe('Nothing is claimed about weapons.'),
  shots: z.array(shot).describe('One entry a discharge, in order of time.'),
  evidence: keptEvidence.optional().describe('Sound that is kept of it; left out where none is.'),
  policy: policyHash,
})

const plateText = (description: string) => z.string().min(1).max(64).describe(description)
const region = z.string().max(64).nullable()

export const listEntry = z.object({
  list: z.string().min(1).max(64).describe('The hotlist.'),
  generation: count('Which issue of the list.'),
  id: z.string().min(1).max(128).describe('The entry, as the list names it.'),
  issue: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .describe('Digest of the entry as the agency issued it, the same in later generations; a verdict names it.'),
  state: region.describe('The state or province that the list gives; null where it gives none.'),
  purpose: z.string().min(1).max(128).describe('Why the plate is wanted; a purpose that the policy allows.'),
  expires: time('When the entry ends.'),
})

const match = z.object({
  kind: z
    .enum(['exact', 'look-alike', 'one-edit'])
    .describe('Equal; equal but for characters that look alike; one character apart.'),
  differences: z
    .array(
      z.object({
        position: z
          .int()
          .positive()
          .describe('Counted from 1, in the listed text where the read lacks the character, else in the read.'),
        read: z.string().max(1).describe('What was read there; empty where it is missing.'),
        listed: z.string().max(1).describe('What the list has there; empty where the read has one more.'),
      }),
    )
    .describe('Every character in which the read and the list differ.'),
  reasons: z
    .array(kebabName('Such as text-exact, state-not-read or readers-agree.'))
    .describe('What spoke for this tier and what kept it from a higher one.'),
})

const plateRead = z.object({
  text: plateText('As it was compared: capital letters and digits.'),
  confidence: probability('The highest of its reads.').nullable(),
  country: region.describe('As read; null where it was not read.'),
  state: region.describe('As read; null where it was not read, or reads differ.'),
  lane: z
    .string()
    .max(64)
    .nullable()
    .describe('As the reader or the configuration names it; null where it is not known.'),
  direction: z
    .enum(['approaching', 'departing'])
    .nullable()
    .describe('By the movement or as the reader says; null where it is not known.'),
  time: time('Of the read.'),
  reader: z.string().min(1).max(64).describe('The reader or camera, as the configuration names it.'),
  count: z.int().positive().describe('How many reads this hit stands for so far.'),
})

const passage = z.object({
  id: identifier('The passage, as the camera that follows the plate names it; the same in every message of it.'),
  phase: z
    .enum(['new', 'update', 'final'])
    .describe('Whether its text was just found, more was learnt of it, or the plate has left the picture.'),
})

const rawRead = z.object({
  reader: z.string().min(1).max(64).describe('The reader or camera, as the configuration names it.'),
  text: plateText('As the reader gave it.'),
  confidence: probability('Of the reader.').nullable(),
  state: region.describe('As read; null where it was not read.'),
  time: time('Of the read.'),
})

export const plateHit = z.object({
  hit: hitId,
  state: z.enum(['new', 'updated', 'superseded']).describe('A superseded hit was corrected by a later read.'),
  supersededBy: hitId.nullable().describe('The hit that takes its place, if any; only when superseded.'),
  entry: listEntry,
  tier: z
    .enum(['confirmed-candidate', 'possible', 'investigative'])
    .describe('How sure the match is. Even the highest is a candidate that a person has to confirm.'),
  match,
  plate: plateText('As listed.'),
  read: plateRead,
  passage: passage
    .optional()
    .describe(
      'Where a camera follows the plate: whose text it is and how far. Left out where readers alone gave reads.',
    ),
  rawReads: z
    .array(rawRead)
    .min(1)
    .max(16)
    .describe('What the hit rests on: the first reads of the passage and the last; look-alikes among them show doubt.'),
  unverified: z.literal(true).describe('No person has checked it. Confirm plate and state by eye before acting.'),
  pictures: z
    .array(identifier('Id to ask for.'))
    .nullable()
    .describe('Evidence that can be asked for; null where there is none.'),
  evidence: keptEvidence.optional().describe('The same pieces with their hashes; left out where there is none.'),
  policy: policyHash,
})

export const tamper = z.object({
  tamper: kebabName('What happened, such as enclosure-opened, moved or power-lost.'),
  part: z.string().min(1).max(64).describe('The switch, sensor or device that noticed.'),
  state: raisedOrCleared,
  detail: sentence('For a person.'),
  since: time('When it began.'),
})

export const fault = z.object({
  fault: kebabName('Its name, such as device-absent or silent.'),
  code: errorCode.nullable().describe('A code of docs/errors.md, which says what to do; null where there is none.'),
  part: z.string().min(1).max(64).describe('The device or part, as the configuration names it.'),
  state: raisedOrCleared,
  detail: sentence('For a person.'),
  since: time('When it began.'),
})

export const shed = z.object({
  ranges: z
    .array(
      z.object({
        stream: streamName,
        epoch,
        first: sequence('The first that is gone.'),
        last: sequence('The last that is gone.'),
      }),
    )
    .min(1)
    .describe('Numbers that will never come.'),
  count: count('How many alerts the ranges hold.'),
  reason: z
    .enum(['journal-full', 'journal-damaged', 'asked', 'acknowledged'])
    .describe('Why they are gone; acknowledged: a hub had said that it had them, and lacks them now.'),
})
