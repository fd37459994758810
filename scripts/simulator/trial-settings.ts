import type { GeometryClass } from './placements.js'

/**
 * How arrivals are drawn without rendering sound. Errors are one standard deviation; metres, seconds, decibel, degrees. The
 * usual values give residuals like those of the live-fire recordings (-10 to +12 ms about the median, 16th to 84th percentile);
 * what is `stated` is what gateways believe, the rest is the truth.
 */
export interface TrialSettings {
  readonly gateways: number
  readonly geometry: GeometryClass
  /** Metres between gateways. */
  readonly spacing: number
  /** Guns at places of their own, and rounds that each fires, so many seconds apart. */
  readonly guns: number
  readonly rounds: number
  readonly interval: readonly [number, number]
  /** Onset picking, anew at every arrival, and what gateways state of it. */
  readonly pickError: number
  readonly statedPickError: number
  /** What a gateway's way from a gun differs from the straight line, the same for all rounds: either way, and late only. */
  readonly pathError: number
  readonly lateShare: number
  readonly lateMean: number
  readonly clockError: number
  readonly statedClockError: number
  readonly surveyError: number
  readonly statedSurveyError: number
  /** Probability that a gateway hears no direct sound of a gun at all, only echoes, and that it misses a single round. */
  readonly shadowed: number
  readonly missed: number
  /** Mean number of echoes of a round at a gateway, and their mean delay. */
  readonly echoes: number
  readonly echoDelay: number
  /** Other impulses at each gateway, a second. */
  readonly falseRate: number
  /** Stated temperature against the truth, Celsius; the wind's mean speed, and whether gateways know it. */
  readonly temperatureError: number
  readonly windSpeed: number
  readonly windKnown: boolean
  /** Share of the gateways that give bearings. */
  readonly arrays: number
  readonly bearingError: number
  /** Gateways, by index, whose clock is fast by so many seconds or that stand so many metres off, unknown to them. */
  readonly faulty: readonly { readonly gateway: number; readonly clock?: number; readonly survey?: number }[]
}

export const usualSettings: TrialSettings = {
  gateways: 6,
  geometry: 'inside',
  spacing: 250,
  guns: 1,
  rounds: 1,
  interval: [0.15, 1.2],
  pickError: 0.0015,
  statedPickError: 0.002,
  pathError: 0.008,
  lateShare: 0.4,
  lateMean: 0.012,
  clockError: 0.0005,
  statedClockError: 0.0005,
  surveyError: 1,
  statedSurveyError: 1,
  shadowed: 0.08,
  missed: 0.02,
  echoes: 1.2,
  echoDelay: 0.15,
  falseRate: 0.4,
  temperatureError: 1,
  windSpeed: 2,
  windKnown: false,
  arrays: 0,
  bearingError: 2,
  faulty: [],
}
