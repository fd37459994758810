import type { SoundReport } from '../acoustics/level-meter.js'
import type { MemoryRules } from '../health/memory-rules.js'
import type { PartCondition } from '../health/parts.js'
import type { GatewayRole } from '../messages/stream.js'
import type { MessageData } from '../messages/table.js'

/** The roles that do the work of a gateway; the console only looks. */
export const workingRoles = ['sensing', 'vision', 'uplink'] as const satisfies readonly GatewayRole[]
export type WorkingRole = (typeof workingRoles)[number]

/** What a role last said of itself. */
export interface RoleCondition {
  readonly parts: readonly PartCondition[]
  /** Null where it said nothing of it. */
  readonly memory: MemoryRules | null
}

/** How far a stream is delivered: its last number, and the last that the hub has. */
export interface StreamCondition {
  readonly source: string
  readonly epoch: string
  readonly last: number
  readonly acknowledged: number
}

/** What the running roles let others read, at one moment. */
export interface GatewayCondition {
  /** Seconds since 1970 UTC. */
  readonly at: number
  /** Null for a role that does not run. */
  readonly roles: Readonly<Record<WorkingRole, RoleCondition | null>>
  /** Whether there is a session with the broker; null where nobody says. */
  readonly online: boolean | null
  /** What uplink tells the hub of the gateway; null where it has said nothing. */
  readonly health: MessageData<'health'> | null
  readonly streams: readonly StreamCondition[]
  /** When the oldest alert that the hub lacks was committed, seconds since 1970 UTC; null where it has all. */
  readonly waitingSince: number | null
  /** Null where sensing has said nothing of it lately. */
  readonly sound: SoundReport | null
}

/** What is found beside the roles: on the disk and in the machine. */
export interface Surroundings {
  readonly lists: readonly ListCondition[]
  /** When the unit's certificate ends, seconds since 1970 UTC; the sentence says why that is not known; null where it needs none. */
  readonly certificate: { readonly until: number } | { readonly unread: string } | null
  /** Bytes free below the state folder, or why nothing can be written there. */
  readonly disk: { readonly free: number } | { readonly unusable: string }
  /** The hash of the policy in force, or what is wrong with its file. */
  readonly policy: { readonly hash: string } | { readonly wrong: string }
  /** Whether the machine has anywhere to swap to; null where that cannot be seen. */
  readonly machineSwaps: boolean | null
}

export interface ListCondition {
  readonly list: string
  readonly freshness: 'fresh' | 'stale' | 'clock-behind' | 'absent' | 'damaged'
  readonly entries: number
  /** Seconds since 1970 UTC; null while there is no list. */
  readonly imported: number | null
}
