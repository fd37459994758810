import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { z } from 'zod'
import type { LocalPosition, Weather } from '../acoustics/arrival.js'
import { type GeodeticPosition, TangentPlane } from '../acoustics/geodesy.js'
import { PolewatchError } from '../errors.js'

const geodetic = z.object({
  latitude: z.number().min(-90).max(90),
  longitude: z.number().min(-180).max(180),
  altitude: z.number().default(0),
})
const local = z.object({ east: z.number(), north: z.number(), up: z.number().default(0) })
const place = z.union([geodetic, local])
const instant = z.iso.datetime({ offset: true })

/** The recording set of DESIGN.md: what one or more gateways recorded, and the truth where it is known. */
const schema = z.object({
  origin: geodetic,
  weather: z
    .object({
      temperature: z.number().nullable().default(null),
      humidity: z.number().nullable().default(null),
      windSpeed: z.number().nullable().default(null),
      windFrom: z.number().nullable().default(null),
    })
    .default({ temperature: null, humidity: null, windSpeed: null, windFrom: null }),
  gateways: z.array(
    z.object({
      id: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
      position: place,
      positionError: z.number().nonnegative().default(1),
      timeError: z.number().nonnegative().default(0.0001),
      array: z.string().default('mono'),
      heading: z.number().default(0),
      audio: z.string(),
      startTime: instant,
    }),
  ),
  truth: z
    .object({
      shots: z.array(z.object({ time: instant.optional(), position: place, kind: z.string().default('gun') })),
      others: z.array(z.object({ position: place, kind: z.string() })).default([]),
    })
    .optional(),
})

export interface RecordedGateway {
  readonly id: string
  readonly position: GeodeticPosition
  readonly positionError: number
  readonly timeError: number
  readonly array: string
  readonly heading: number
  /** Absolute path. */
  readonly audio: string
  /** Seconds since 1970 UTC of the first sample. */
  readonly startTime: number
}

export interface TrueShot {
  readonly time: number | null
  readonly position: GeodeticPosition
  readonly kind: string
}

/** A sound that is no shot, and where it really was. */
export interface OtherSound {
  readonly position: GeodeticPosition
  readonly kind: string
}

export interface RecordingSet {
  readonly weather: Weather
  readonly gateways: readonly RecordedGateway[]
  readonly truth: readonly TrueShot[]
  readonly others: readonly OtherSound[]
}

/**
 * Reads a recording set; audio paths become absolute, places geodetic, times seconds since 1970 UTC.
 * @throws PolewatchError PW_RECORDING_SET
 */
export function readRecordingSet(file: string): RecordingSet {
  const parsed = schema.safeParse(readJson(file))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    throw new PolewatchError('PW_RECORDING_SET', { file, why: `${issue?.path.join('.') || 'it'}: ${issue?.message}` })
  }
  const { origin, weather, gateways, truth } = parsed.data
  const plane = new TangentPlane(origin)
  const place = (position: GeodeticPosition | LocalPosition): GeodeticPosition =>
    'east' in position ? plane.toGeodetic(position) : position
  const ids = new Set(gateways.map(({ id }) => id))
  if (ids.size < gateways.length)
    throw new PolewatchError('PW_RECORDING_SET', { file, why: 'two gateways have one id' })
  return {
    weather,
    gateways: gateways.map(gateway => ({
      ...gateway,
      position: place(gateway.position),
      audio: resolve(dirname(file), gateway.audio),
      startTime: secondsOf(gateway.startTime),
    })),
    truth: (truth?.shots ?? []).map(shot => ({
      time: shot.time === undefined ? null : secondsOf(shot.time),
      position: place(shot.position),
      kind: shot.kind,
    })),
    others: (truth?.others ?? []).map(({ position, kind }) => ({ kind, position: place(position) })),
  }
}

/** Keeps the microseconds that `Date.parse` drops. */
function secondsOf(instant: string): number {
  const fraction = /\.(\d+)/.exec(instant)?.[1] ?? ''
  const whole = Date.parse(instant.replace(/\.\d+/, ''))
  return whole / 1000 + (fraction === '' ? 0 : Number(`0.${fraction}`))
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new PolewatchError(
      'PW_RECORDING_SET',
      { file, why: error instanceof Error ? error.message : String(error) },
      error,
    )
  }
}
