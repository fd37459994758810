import { z } from 'zod'
import { identifier } from './fields.js'

// Switches, lamps and relays on the lines of a GPIO chip: an alternative for each use of a line.

const line = z.int().min(0).max(1023).describe('Number of the line on its chip.')
const partName = identifier.describe('Name of the part, unique among all parts.')

const inputParts = {
  name: partName,
  line,
  debounceMilliseconds: z
    .number()
    .min(0)
    .max(1000)
    .default(30)
    .meta({ unit: 'milliseconds' })
    .describe('A level counts when the contact has kept it for so long. The time told is that of the first edge.'),
}

const activeLevel = (preset: 'high' | 'low', meaning: string) =>
  z.enum(['high', 'low']).default(preset).describe(meaning)

const input = z.discriminatedUnion('use', [
  z.strictObject({
    use: z.literal('enclosure').describe('A contact that tells whether the enclosure is open.'),
    ...inputParts,
    active: activeLevel('high', 'Level while it is open. `high` with a pull-up takes a cut wire for open, too.'),
  }),
  z.strictObject({
    use: z.literal('power-fail').describe('A contact of the supply that tells whether the mains has failed.'),
    ...inputParts,
    active: activeLevel('high', 'Level while it has failed. `high` with a pull-up takes a cut wire for failed, too.'),
  }),
  z.strictObject({
    use: z.literal('reader-trigger').describe('A contact that tells of a vehicle, such as a loop or a light barrier.'),
    ...inputParts,
    active: activeLevel('low', 'Level while the vehicle is there.'),
    lane: z
      .union([z.string().min(1).max(32), z.int().min(0).max(999)])
      .transform(String)
      .nullable()
      .default(null)
      .meta({ allowed: 'a number or a text of at most 32 characters' })
      .describe('Lane whose cameras are to look. Empty: all.'),
  }),
])

/**
 * All that a relay may follow. A plate hit is not among them and must never be: nothing in the street moves because a machine has
 * read a plate and no person has looked at it.
 */
export const relayCauses = ['healthy', 'enclosure-opened', 'power-failed', 'reader-trigger'] as const
export type RelayCause = (typeof relayCauses)[number]

const outputParts = {
  name: partName,
  line,
  active: z
    .enum(['high', 'low'])
    .default('high')
    .describe('Level that makes it work. The other one is its safe state.'),
}

const output = z.discriminatedUnion('use', [
  z.strictObject({
    use: z.literal('status-led').describe('A lamp whose flashes say how the gateway is: docs/switches.md.'),
    ...outputParts,
  }),
  z.strictObject({
    use: z.literal('relay').describe('A relay. It is released at the start, at the end and whenever polewatch dies.'),
    ...outputParts,
    follows: z
      .array(z.enum(relayCauses))
      .min(1)
      .max(relayCauses.length)
      .describe('It works as long as one of these holds. A plate hit cannot be named.'),
    atLeastSeconds: z
      .number()
      .min(0)
      .max(3600)
      .default(0)
      .meta({ unit: 'seconds' })
      .describe('And for at least so long each time.'),
    atMostSeconds: z
      .number()
      .gt(0)
      .max(86400)
      .nullable()
      .default(null)
      .meta({ unit: 'seconds' })
      .describe('It is released after so long even where the cause goes on. Empty: no limit.'),
  }),
])

const chipParts = {
  name: identifier.describe('Name of the chip in health and faults, unique among all parts.'),
  inputs: z.array(input).max(32).default([]).describe('Switches.'),
  outputs: z.array(output).max(32).default([]).describe('Lamps and relays.'),
}

const chip = z
  .string()
  .regex(/^[\x20-\x7e]{1,64}$/)
  .meta({ allowed: 'a label or name such as "pinctrl-bcm2711"' })
  .describe('The GPIO chip, best by its label; `gpiodetect` lists them.')

export const digitalIo = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('libgpiod').describe('The lines of a chip, by the programs of libgpiod 2 (Debian 13 and later).'),
    ...chipParts,
    chip,
    pull: z
      .enum(['as-is', 'up', 'down', 'off'])
      .default('as-is')
      .describe("The chip's own resistors at all inputs. `as-is` leaves them as they are."),
  }),
  z.strictObject({
    driver: z
      .literal('sysfs')
      .describe('The same by onoff and /sys/class/gpio, for older systems; docs/switches.md says what it needs.'),
    ...chipParts,
    chip,
  }),
  z.strictObject({
    driver: z.literal('simulator').describe('Made-up switches, to try an installation without any.'),
    ...chipParts,
    interval: z
      .number()
      .gt(0)
      .max(86400)
      .default(60)
      .meta({ unit: 'seconds' })
      .describe('Each switch becomes active once in this time, for a tenth of it.'),
  }),
])
