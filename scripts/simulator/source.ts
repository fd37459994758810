import type { LocalPosition } from '../../gateway/acoustics/arrival.js'
import { bark, engine, rotor, siren, thunder } from './continuous.js'
import { firework, gunBlast, hammering, slam } from './impulsive.js'
import type { Bullet } from './physics.js'
import type { Random } from './random.js'
import type { Sound } from './waveform.js'

/** Level of each kind where nothing else is said: peak, decibel re 20 µPa at one metre, on the loudest side. */
export const usualLevel = {
  gun: 160,
  firework: 152,
  slam: 112,
  hammering: 116,
  siren: 120,
  bark: 106,
  engine: 102,
  rotor: 130,
  thunder: 172,
} as const

export type SourceKind = keyof typeof usualLevel
export const sourceKinds: readonly SourceKind[] = [
  'gun',
  'firework',
  'slam',
  'hammering',
  'siren',
  'bark',
  'engine',
  'rotor',
  'thunder',
]

/** Something that sounds once, at a place and a time. Everything but `kind`, `time` and `position` has a usual value. */
export interface Source {
  readonly kind: SourceKind
  /** Seconds since 1970 UTC: the discharge, the first stroke, the beginning. */
  readonly time: number
  readonly position: LocalPosition
  /** Peak at one metre on the loudest side, decibel re 20 µPa. */
  readonly level?: number
  /** Where a gun points: degrees clockwise from true north, and above the horizon. */
  readonly heading?: number
  readonly elevation?: number
  /** Metres a second; faster than sound makes a shock wave. Left out: no shock wave. */
  readonly bulletSpeed?: number
  readonly bullet?: Bullet
  /** How far the bullet flies, metres. */
  readonly range?: number
  /** Seconds that a siren, an engine, a rotor or hammering goes on. */
  readonly duration?: number
  /** Metres a second that the source moves; only engines, sirens and rotors move. */
  readonly velocity?: LocalPosition
}

/** Decibel between the front and the back of a muzzle blast; Maher measured 10 to 20. */
export const frontToBack = 15

/** Gain of the muzzle blast at an angle (radian) from the barrel: 1 along it, least behind. A cardioid in decibel. */
export function muzzleGain(angle: number): number {
  return 10 ** ((-frontToBack * (1 - Math.cos(angle))) / 40)
}

/** Unit vector of a compass heading and an elevation, degrees. */
export function pointing(heading: number, elevation: number): LocalPosition {
  const [azimuth, rise] = [(heading * Math.PI) / 180, (elevation * Math.PI) / 180]
  return { east: Math.sin(azimuth) * Math.cos(rise), north: Math.cos(azimuth) * Math.cos(rise), up: Math.sin(rise) }
}

export function levelOf(source: Source): number {
  return source.level ?? usualLevel[source.kind]
}

/** About how long it sounds, seconds before and after `time`; for skipping what cannot be heard yet. */
export function soundingSpan(source: Source): { readonly before: number; readonly after: number } {
  const after = { gun: 0.1, firework: 2, slam: 1, hammering: 12, siren: 20, bark: 4, engine: 20, rotor: 20, thunder: 9 }
  return { before: 2.5, after: source.duration === undefined ? after[source.kind] : source.duration + 1 }
}

/** The sound of a source, the same for the same random stream. */
export function synthesise(source: Source, sampleRate: number, random: Random): Sound {
  const peak = 20e-6 * 10 ** (levelOf(source) / 20)
  const { duration } = source
  switch (source.kind) {
    case 'gun':
      return gunBlast(peak, sampleRate, random)
    case 'firework':
      return firework(peak, sampleRate, random)
    case 'slam':
      return slam(peak, sampleRate, random)
    case 'hammering':
      return hammering(peak, sampleRate, random, duration ?? 10)
    case 'siren':
      return siren(peak, sampleRate, random, duration ?? 15)
    case 'bark':
      return bark(peak, sampleRate, random)
    case 'engine':
      return engine(peak, sampleRate, random, duration ?? 15)
    case 'rotor':
      return rotor(peak, sampleRate, random, duration ?? 15)
    case 'thunder':
      return thunder(peak, sampleRate, random)
  }
}
