import * as z from 'zod'
import { epochPattern, gatewayRoles, namePattern, parseStream, sequencePattern, streamPattern } from './stream.js'
import { parseTime, timePattern } from './time.js'

/*
 * Fields that several messages share. Every field is required and null where it is not known, so that a reader never has
 * to ask what an absent field means. Objects tolerate further properties when they are read; `seal.ts` refuses them when we write.
 */

const instant = z
  .string()
  .regex(timePattern)
  .refine(text => !Number.isNaN(parseTime(text)), 'no such day or time')

/** A time in UTC. */
export const time = (description: string) =>
  instant.meta({ format: 'date-time', description: `${description} RFC 3339, UTC.` })

/** A length of time that cannot be negative. */
export const seconds = (description: string) => z.number().nonnegative().describe(`${description} Seconds.`)

/** How many. */
export const count = (description: string) => z.int().nonnegative().describe(description)

/** One sentence or less for a person. */
export const sentence = (description: string) => z.string().max(1000).describe(description)

export const siteName = z.string().regex(namePattern).describe('The site, the first part of every topic.')
export const gatewayName = z.string().regex(namePattern).describe('The gateway, unique within its site.')
export const gatewayRole = z.enum(gatewayRoles).describe('The process of the gateway.')

/** A name of the project's own, such as `enclosure-opened`. */
export const kebabName = (description: string) =>
  z
    .string()
    .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
    .max(64)
    .describe(description)

/** An identifier made by a gateway or a hub, safe in a topic and in a file's name. */
export const identifierPattern = /^[a-z0-9][a-z0-9-]{0,191}$/
export const identifier = (description: string) => z.string().regex(identifierPattern).describe(description)

/** Permanent id of an arrival: `gateway/epoch/number`. */
export const arrivalId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}\/[a-z0-9]{1,64}\/\d{1,20}$/)
  .describe('Permanent id of an arrival: gateway/epoch/number.')

export const incidentId = identifier(
  'Id of the incident, fixed at its first publication; it derives from the earliest arrival then known.',
)
export const hitId = identifier('Id of the hit, the same in all its messages.')

export const sha256 = (description: string) =>
  z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe(`${description} SHA-256, lower-case hexadecimal.`)

export const policyHash = sha256('The policy in force.')

export const probability = (description: string) => z.number().min(0).max(1).describe(`${description} 0 to 1.`)

export const azimuth = (description: string) =>
  z.number().min(0).max(360).describe(`${description} Degrees clockwise from true north.`)

export const position = z
  .object({
    latitude: z.number().min(-90).max(90).describe('Degrees north, WGS 84.'),
    longitude: z.number().min(-180).max(180).describe('Degrees east, WGS 84.'),
    altitude: z.number().nullable().describe('Metres above the WGS 84 ellipsoid; null where it was not measured.'),
  })
  .describe('A place on the earth.')

export const bearing = z
  .object({
    azimuth: azimuth('Where the sound came from.'),
    elevation: z
      .number()
      .min(-90)
      .max(90)
      .nullable()
      .describe('Degrees above the horizon; null where the array cannot tell.'),
    error: z.number().nonnegative().describe('One standard deviation of the azimuth. Degrees.'),
  })
  .describe('The direction that a sound came from.')

export const range = z
  .object({
    distance: z.number().positive().describe('The most likely. Metres.'),
    nearest: z.number().nonnegative().describe('It is further with 97.5 % confidence. Metres.'),
    farthest: z.number().positive().describe('It is nearer with 97.5 % confidence. Metres.'),
  })
  .describe('How far the gun is along the bearing, by the delay from the shock wave of its bullet to its muzzle blast.')

export const soundLevel = z
  .number()
  .describe(
    'Peak level, decibel re 20 µPa where the array is calibrated, else decibel above digital full scale minus 120.',
  )

export const quality = z
  .enum(['located', 'bearing', 'heard'])
  .describe('What the clocks and the geometry allow to say: a place, a direction only, or only that it was heard.')

export const incidentState = z
  .enum(['provisional', 'updated', 'final', 'withdrawn'])
  .describe(
    'A withdrawn incident was a mistake or is part of another one; a higher revision may still take the withdrawal back.',
  )

export const revision = z
  .int()
  .positive()
  .describe('Counts up from 1; the highest revision holds, and of equal ones the smaller reporter.')

export const streamName = z
  .string()
  .regex(streamPattern)
  .refine(text => parseStream(text) !== null, 'not a stream')
  .describe('A stream: /{site}/{gateway}/{role}/{priority}.')

export const epoch = z
  .string()
  .regex(epochPattern)
  .describe('The epoch of the numbers; it changes only with a new journal file.')

export const sequence = (description: string) =>
  z.string().regex(sequencePattern).describe(`${description} Twenty digits with leading zeros.`)

/** Pieces of evidence that are kept of an alert; a hub asks for one by its id. */
export const keptEvidence = z.array(
  z.object({
    id: identifier('Id to ask for.'),
    mediaType: z
      .string()
      .regex(/^[a-z]+\/[a-z0-9.+-]+$/)
      .max(128)
      .describe('RFC 6838, as image/jpeg.'),
    sha256: sha256('Of the piece as it is handed over.'),
    size: count('Of the piece. Bytes.'),
    until: time('When it is deleted, if nobody tightens the policy before.'),
  }),
)

/** Names one message for ever. */
export const eventReference = z
  .object({
    source: streamName,
    id: z.string().min(1).max(128).describe('The id of that message, unique within its source.'),
  })
  .describe('Names one message by its CloudEvents source and id.')

export const raisedOrCleared = z.enum(['raised', 'cleared']).describe('Whether it begins or is over.')

export const errorCode = z
  .string()
  .regex(/^PW_[A-Z0-9_]+$/)
  .describe('A code of docs/errors.md.')
