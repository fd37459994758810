import { z } from 'zod'

// The kinds of value that the configuration is made of. `unit` and `allowed` serve the reference page and the error
// messages; `path` marks text that is made absolute against the folder of the configuration file.

/** Name of a site, a gateway or a part: it ends up in topics, file names and alert ids. */
export const identifier = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
  .meta({ allowed: 'lower-case letters, digits and hyphens, at most 63, starting with a letter or digit' })

/** `arrivals` stands where a gateway's name does in the topics between neighbours. */
export const gatewayName = identifier
  .refine(name => name !== 'arrivals')
  .meta({
    allowed: 'lower-case letters, digits and hyphens, at most 63, starting with a letter or digit; not "arrivals"',
  })

/** A file or folder. Never a secret itself. */
export const path = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[^\0\r\n]+$/)
  .meta({ allowed: 'a path', path: true })

export const latitude = z.number().min(-90).max(90).meta({ unit: 'degrees' })
export const longitude = z.number().min(-180).max(180).meta({ unit: 'degrees' })

/** A direction over ground. */
export const heading = z.number().min(0).lt(360).meta({ unit: 'degrees clockwise from true north' })

export const probability = z.number().min(0).max(1)

export const hertz = z.int().min(8000).max(384000).meta({ unit: 'hertz' })

const binaryUnits = new Map([
  ['B', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
])
const sizeText = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB)$/
const smallestSize = 2 ** 20
const largestSize = 2 ** 40

/** A number of bytes, or text such as `64 MiB`; a number of bytes once parsed. */
export const byteSize = z
  .union([z.number(), z.string().regex(sizeText)])
  .transform(size => (typeof size === 'number' ? size : bytesOf(size)))
  .pipe(z.int().min(smallestSize).max(largestSize))
  .meta({ allowed: 'a size such as "64 MiB" (B, KiB, MiB, GiB) or a whole number of bytes, from 1 MiB to 1024 GiB' })

function bytesOf(text: string): number {
  const [, amount = '', unit = ''] = sizeText.exec(text) ?? []
  return Math.round(Number(amount) * (binaryUnits.get(unit) ?? Number.NaN))
}

/** RFC 3339 in UTC, or seconds since 1970; seconds since 1970 UTC once parsed. */
export const instant = z
  .union([z.number(), z.iso.datetime()])
  .transform(time => (typeof time === 'number' ? time : secondsOf(time)))
  .pipe(z.number().min(0).max(4102444800))
  .meta({ allowed: 'a UTC time such as "2018-12-19T00:49:26.000000Z", or seconds since 1970' })

// Date keeps milliseconds only; recordings are stamped to the microsecond.
function secondsOf(text: string): number {
  const [, whole = '', fraction = '0'] = /^([^.Z]+)(?:\.(\d+))?Z$/.exec(text) ?? []
  return Date.parse(`${whole}Z`) / 1000 + Number(`0.${fraction}`)
}

const brokerProtocols = new Set(['mqtt:', 'mqtts:', 'ws:', 'wss:'])

/** Where a broker listens. Names and passwords in it are refused: secrets are files. */
export const brokerAddress = z
  .string()
  .max(1024)
  .refine(text => {
    if (!URL.canParse(text)) return false
    const address = new URL(text)
    return (
      brokerProtocols.has(address.protocol) &&
      address.hostname !== '' &&
      address.username === '' &&
      address.password === '' &&
      address.hash === ''
    )
  })
  .meta({ allowed: 'an address such as "mqtts://hub.example:8883" (mqtt, mqtts, ws, wss), without name or password' })

/** Whether what is sent to that address is encrypted. */
export function isEncrypted(address: string): boolean {
  return address.startsWith('mqtts:') || address.startsWith('wss:')
}
