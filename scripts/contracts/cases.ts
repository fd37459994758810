/** What every implementation of every kind has to get through, or has to be excused from with a reason. */
export const contractCases = {
  absent: 'absent at the start',
  appears: 'appears later',
  unplugged: 'unplugged in the middle',
  renamed: 'comes back under another name',
  silent: 'silent',
  flooding: 'flooding',
  wrong: 'wrong data',
  abort: 'aborted at any moment',
  buffers: 'keeps off what it has handed over',
  queue: 'bounded queue that counts its drops',
  reopened: 'reopened again and again',
} as const

export type ContractCase = keyof typeof contractCases

/** What one case came to, as a line of the file that `POLEWATCH_CONTRACTS` names. */
export interface CaseOutcome {
  readonly kind: string
  readonly implementation: string
  readonly case: ContractCase
  readonly outcome: 'passed' | 'failed' | 'excused' | 'elsewhere'
  /** Why it was not run; empty where it was. */
  readonly reason: string
  /** How often it was done, for what is done again and again; null elsewhere. */
  readonly times: number | null
}
