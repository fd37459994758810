import type { SoundReport } from '../acoustics/level-meter.js'
import type { GatewayCondition } from './condition.js'
import type { Finding } from './inspect.js'

/** What the console shows and does, by whoever joins it to the gateway. */
export interface ConsoleBackend {
  readonly site: string
  readonly gateway: string
  /** Whether every alert is one for a drill. */
  readonly exercise: boolean
  /** Microphones by array. */
  readonly channels: ReadonlyMap<string, number>
  /** The pass phrase is right. */
  admits(phrase: string): Promise<boolean>
  /** Rejects where it cannot be recorded; then nothing is shown. */
  record(subject: string, detail: Readonly<Record<string, string>>): Promise<unknown>
  look(): { readonly condition: GatewayCondition; readonly findings: readonly Finding[] }
  sound(): SoundReport | null
  /** Told of what should not happen. */
  failed(error: unknown): void
  /** Newest first. */
  faults(): readonly RecentFault[]
  accesses(): readonly Access[]
  policy(): readonly string[]
  /** Makes an alert for a drill; seconds until the hub had it, null where it did not get it. */
  exerciseAlert(): Promise<number | null>
}

export interface RecentFault {
  readonly time: string
  readonly part: string
  readonly fault: string
  readonly state: 'raised' | 'cleared'
  readonly detail: string
  readonly exercise: boolean
}

export interface Access {
  readonly time: string
  readonly who: string
  readonly what: string
  readonly purpose: string
}
