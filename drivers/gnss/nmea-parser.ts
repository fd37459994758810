import type { GnssParser, Heard } from './gnss.js'
import { TextLines } from './text-lines.js'

/** Metres of error for a dilution of precision of one, where the receiver does not estimate its error itself. */
const userRangeError = 5
const day = 86_400

/**
 * NMEA 0183 (sentences GGA, RMC, GST and TXT of any talker). A fix comes with each GGA; its date is that of the latest RMC
 * and its error that of a GST of the same second, or else the horizontal dilution of precision times five metres.
 */
export class NmeaParser implements GnssParser {
  readonly #lines = new TextLines()
  /** The latest date and time together, seconds since 1970 UTC. */
  #dated: number | null = null
  #error: { readonly time: string; readonly metres: number } | null = null

  push(chunk: Uint8Array): Heard[] {
    return this.#lines.push(chunk).flatMap(line => this.#sentence(line))
  }

  reset(): void {
    this.#lines.reset()
    this.#dated = null
    this.#error = null
  }

  #sentence(line: string): Heard[] {
    const fields = fieldsOf(line)
    if (fields === null) return []
    const [type = '', ...values] = fields
    if (type.endsWith('RMC')) this.#dated = dateOf(values[8] ?? '', values[0] ?? '') ?? this.#dated
    if (type.endsWith('GST')) this.#error = errorOf(values)
    if (type.endsWith('GGA')) return [this.#fix(values)]
    if (type.endsWith('TXT')) return antennaOf(values.at(-1) ?? '')
    return []
  }

  #fix(values: readonly string[]): Heard {
    const [time = '', north = '', northSign = '', east = '', eastSign = '', quality, satellites, dilution, up] = values
    const latitude = degreesOf(north, 2, northSign === 'S')
    const longitude = degreesOf(east, 3, eastSign === 'W')
    // Quality 0 is no fix; 6 is dead reckoning, 7 typed in by hand, 8 a simulator.
    if (latitude === null || longitude === null || !['1', '2', '3', '4', '5'].includes(quality ?? '')) {
      return { kind: 'no-fix' }
    }
    const estimated = this.#error?.time === time ? this.#error.metres : null
    const dilutionOfPrecision = numberOf(dilution)
    const horizontalError = estimated ?? (dilutionOfPrecision === null ? 100 : dilutionOfPrecision * userRangeError)
    const utc = this.#utcOf(time)
    return {
      kind: 'fix',
      utc,
      latitude,
      longitude,
      altitude: numberOf(up),
      horizontalError,
      satellites: numberOf(satellites),
    }
  }

  /** The time of day in the day that brings it nearest to the latest date: RMC may come after GGA, also at midnight. */
  #utcOf(time: string): number | null {
    const seconds = secondsOf(time)
    if (seconds === null || this.#dated === null) return null
    return seconds + Math.round((this.#dated - seconds) / day) * day
  }
}

/** The fields of the line's last sentence without its checksum; null when the checksum is missing or wrong. */
function fieldsOf(line: string): string[] | null {
  const [, body, checksum] = /[$]([^*$]{5,})[*]([0-9A-Fa-f]{2})$/.exec(line) ?? []
  if (body === undefined || checksum === undefined) return null
  let sum = 0
  for (const byte of Buffer.from(body, 'latin1')) sum ^= byte
  return sum === Number.parseInt(checksum, 16) ? body.split(',') : null
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^-?[0-9]+([.][0-9]*)?$/.test(text) ? Number(text) : null
}

/** `ddmm.mmmm` or `dddmm.mmmm` in degrees. */
function degreesOf(text: string, digits: number, negative: boolean): number | null {
  if (numberOf(text) === null) return null
  const degrees = Number(text.slice(0, digits)) + Number(text.slice(digits)) / 60
  if (degrees > (digits === 2 ? 90 : 180)) return null
  return negative ? -degrees : degrees
}

/** `hhmmss.sss` in seconds since midnight; a leap second is the first of the next minute. */
function secondsOf(time: string): number | null {
  const [, hours, minutes, seconds] = /^([01][0-9]|2[0-3])([0-5][0-9])([0-6][0-9](?:[.][0-9]+)?)$/.exec(time) ?? []
  return seconds === undefined ? null : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
}

function dateOf(date: string, time: string): number | null {
  const [, dayOfMonth, month, year] = /^([0-9]{2})([0-9]{2})([0-9]{2})$/.exec(date) ?? []
  const seconds = secondsOf(time)
  if (year === undefined || seconds === null) return null
  return Date.UTC(2000 + Number(year), Number(month) - 1, Number(dayOfMonth)) / 1000 + seconds
}

/** GST gives one standard deviation of latitude and longitude; together they are the error across. */
function errorOf(values: readonly string[]): { time: string; metres: number } | null {
  const [north, east] = [numberOf(values[5]), numberOf(values[6])]
  return north === null || east === null ? null : { time: values[0] ?? '', metres: Math.hypot(north, east) }
}

/** What u-blox receivers say of their antenna. */
function antennaOf(text: string): Heard[] {
  const [, state] = /^ANTSTATUS=(OK|OPEN|SHORT)$/.exec(text) ?? []
  if (state === 'OK') return [{ kind: 'antenna', state: 'ok' }]
  if (state === 'OPEN') return [{ kind: 'antenna', state: 'open' }]
  return state === 'SHORT' ? [{ kind: 'antenna', state: 'short' }] : []
}
