import * as z from 'zod'
import { identifier } from './fields.js'

/** What a hub can ask of a gateway: the last part of `command/{name}`. */
export const commandNames = [
  'status',
  'check',
  'evidence',
  'verdict',
  'hotlist',
  'policy',
  'configuration',
  'restart',
  'log-level',
] as const

export type CommandName = (typeof commandNames)[number]

export function isCommandName(name: string): name is CommandName {
  return commandNames.some(known => known === name)
}

const role = z
  .enum(['sensing', 'vision', 'uplink', 'all'])
  .describe('The process meant; all of them where it is left out.')
  .default('all')

const document = z.string().min(1).max(200_000)

/** What each command needs, besides a verdict, which is a message of its own. Nothing else may stand there. */
export const commandArguments = {
  status: z.strictObject({}),
  check: z.strictObject({}),
  evidence: z.strictObject({ id: identifier('Id of the piece of evidence, as an alert names it.') }),
  hotlist: z.strictObject({
    list: z.string().min(1).max(64).describe('The list to change.'),
    delta: z.record(z.string(), z.unknown()).describe('The change, signed by a key of the list: docs/hotlists.md.'),
  }),
  policy: z.strictObject({ document: document.describe('The whole policy file.') }),
  configuration: z.strictObject({ document: document.describe('The whole configuration file.') }),
  restart: z.strictObject({ role }),
  'log-level': z.strictObject({
    role,
    level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).describe('Holds until the process ends.'),
  }),
} as const satisfies Record<Exclude<CommandName, 'verdict'>, z.ZodType>

/** What a verdict says of its purpose, which no message of it names. */
export const verdictPurpose = 'verdict'
