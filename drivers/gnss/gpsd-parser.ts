import { z } from 'zod'
import type { GnssParser, Heard } from './gnss.js'
import { TextLines } from './text-lines.js'

/** The parts of gpsd's JSON that are used (gpsd_json(5), protocol 3). */
const reportSchema = z.union([
  z.object({
    class: z.literal('TPV'),
    mode: z.int(),
    time: z.iso.datetime().optional(),
    lat: z.number().min(-90).max(90).optional(),
    lon: z.number().min(-180).max(180).optional(),
    altMSL: z.number().optional(),
    eph: z.number().nonnegative().optional(),
  }),
  z.object({ class: z.literal('SKY'), uSat: z.int().optional(), hdop: z.number().optional() }),
])

/** Metres of error for a dilution of precision of one, where gpsd gives no error. */
const userRangeError = 5

/**
 * gpsd's reports: the first TPV of an instant is its fix, with what the latest SKY said of the satellites. Until gpsd knows the
 * receiver's cycle it tells an instant again with each sentence of it.
 */
export class GpsdParser implements GnssParser {
  readonly #lines = new TextLines()
  #satellites: number | null = null
  #dilution: number | null = null
  #latest: string | null = null

  push(chunk: Uint8Array): Heard[] {
    return this.#lines.push(chunk).flatMap(line => this.#report(line))
  }

  reset(): void {
    this.#lines.reset()
    this.#satellites = null
    this.#dilution = null
    this.#latest = null
  }

  #report(line: string): Heard[] {
    const { data } = reportSchema.safeParse(parsed(line))
    if (data === undefined) return []
    if (data.class === 'SKY') {
      this.#satellites = data.uSat ?? this.#satellites
      this.#dilution = data.hdop ?? this.#dilution
      return []
    }
    const { mode, time, lat, lon, altMSL, eph } = data
    if (mode < 2 || lat === undefined || lon === undefined) return [{ kind: 'no-fix' }]
    if (time !== undefined && time === this.#latest) return []
    this.#latest = time ?? null
    return [
      {
        kind: 'fix',
        utc: time === undefined ? null : Date.parse(time) / 1000,
        latitude: lat,
        longitude: lon,
        altitude: mode === 3 ? (altMSL ?? null) : null,
        horizontalError: eph ?? (this.#dilution === null ? 100 : this.#dilution * userRangeError),
        satellites: this.#satellites,
      },
    ]
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}
