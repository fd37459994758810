import * as z from 'zod'
import { listEntry } from './alerts.js'
import {
  epoch,
  errorCode,
  eventReference,
  gatewayName,
  hitId,
  identifier,
  incidentId,
  kebabName,
  sentence,
  sequence,
  siteName,
  streamName,
  time,
} from './fields.js'

/** What a hub tells or asks a gateway, and the answers. */

export const acknowledgement = z.object({
  stream: streamName,
  epoch,
  sequence: sequence(
    'The hub has stored every message of the stream up to and including this one; zeros when it remembers none, and asks for all that is kept.',
  ),
  hub: gatewayName.describe('The hub that has them.'),
})

const judgedEntry = listEntry
  .pick({ list: true, generation: true, id: true, issue: true })
  .describe('The hotlist entry judged, copied from the hit; without it misread and not-wanted silence nothing.')

export const verdict = z.object({
  alert: eventReference.describe('The message that the person judged.'),
  incident: incidentId.nullable().describe('The incident judged, for gunfire.'),
  hit: hitId.nullable().describe('The hit judged, for a plate.'),
  entry: judgedEntry.nullable(),
  verdict: z
    .enum(['confirmed', 'misread', 'false', 'not-wanted'])
    .describe('not-wanted: the plate was read well but is no longer wanted.'),
  by: kebabName('The role of the person who judged, never a name.'),
  reason: sentence('Why; null where no reason was given.').nullable(),
  time: time('Of the verdict.'),
})

export const command = z.object({
  site: siteName,
  gateway: gatewayName.describe('The gateway that shall obey; any other refuses.'),
  name: kebabName('status, check, evidence, hotlist, policy, configuration, restart or log-level.'),
  arguments: z.record(z.string(), z.unknown()).describe('What the command needs.'),
  purpose: kebabName('What for; it must be one that the policy allows the key.'),
  requestedBy: z.string().min(1).max(128).describe('Who asks, as the hub accounts for its users.'),
  expires: time('Not to be obeyed after that.'),
  nonce: identifier('Never used twice; a command that comes again is refused.'),
})

export const commandResult = z.object({
  command: eventReference.describe('The command answered.'),
  name: kebabName('The name of that command.'),
  outcome: z.enum(['done', 'refused', 'failed']),
  code: errorCode.nullable().describe('A code of docs/errors.md; null when done.'),
  detail: sentence('For a person.'),
  result: z.record(z.string(), z.unknown()).nullable().describe('What was asked for; null where there is nothing.'),
})
