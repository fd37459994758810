import { z } from 'zod'
import { commandNames } from '../messages/commands.js'
import { byteSize, identifier, path } from './fields.js'

const kebabWord = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  .max(64)
  .meta({ allowed: 'lower-case letters and digits in words joined by hyphens, at most 64' })

/** Who may tell the gateway what to do. */
export const commands = z.strictObject({
  keys: z
    .array(
      z.strictObject({
        name: identifier.describe('Name of the key, as audit records give it.'),
        file: path.describe('PEM file with the public key (Ed25519).'),
        commands: z.array(z.enum(commandNames)).min(1).max(16).describe('Commands that it may sign.'),
        purposes: z
          .array(kebabWord)
          .min(1)
          .max(64)
          .nullable()
          .default(null)
          .describe('Purposes that its commands may name. Empty: any.'),
      }),
    )
    .max(32)
    .default([])
    .describe(
      'Keys whose commands are obeyed. `uplink.hubKey` may give verdicts and ask for `status` and `check`, unless it is listed here with what it may.',
    ),
})

/** How much may be sent over a metered link. */
export const trafficBudget = z.strictObject({
  bytesPerDay: byteSize
    .nullable()
    .default(null)
    .meta({ unit: 'bytes' })
    .describe('Most to send from one midnight (UTC) to the next. Empty: no limit.'),
  bytesPerMonth: byteSize
    .nullable()
    .default(null)
    .meta({ unit: 'bytes' })
    .describe('Most to send in a calendar month (UTC). Empty: no limit.'),
})

/** Discovery of the gateway's health by Home Assistant. */
export const homeAssistant = z.strictObject({
  enabled: z.boolean().default(false).describe('Whether to announce the health of the gateway to Home Assistant.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/)
    .default('homeassistant')
    .meta({ allowed: 'letters, digits, _ and -, at most 64' })
    .describe('First level of its discovery topics.'),
})

/** Figures for Prometheus. */
export const metrics = z.strictObject({
  enabled: z
    .boolean()
    .default(false)
    .describe(
      'Whether uplink serves figures for Prometheus, by default on the Unix socket `metrics.socket` in `paths.runtime`.',
    ),
  port: z
    .int()
    .min(1)
    .max(65535)
    .nullable()
    .default(null)
    .describe('Port of this machine to serve them on in place of the socket. Other machines never reach it.'),
})
