import { z } from 'zod'

const name = z
  .string()
  .regex(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  .max(64)
  .meta({ allowed: 'lower-case letters and digits in words joined by hyphens, at most 64' })

const names = z.array(name).max(64)

const days = z.number().min(0).max(3660).meta({ unit: 'days' })

/**
 * The policy document: what may be matched, kept, let go and asked for. That a plate without a hit is forgotten at once and
 * that sound stays in memory are no part of it: nothing can loosen them.
 */
export const policySchema = z.strictObject({
  version: z.literal(1).describe('Version of this format.'),
  purposes: names.describe('Purposes for which a plate may be on a hotlist. An entry with another one is refused.'),
  hotlistDefaults: z
    .strictObject({
      purposes: names.describe("Purposes that a list's configuration may give to entries which name none."),
      validForHours: z
        .number()
        .min(0)
        .max(8784)
        .meta({ unit: 'hours' })
        .describe("Longest time that a list's configuration may give to entries which name no expiry. 0: none."),
    })
    .default({ purposes: [], validForHours: 0 })
    .describe('What may stand in for a purpose or an expiry that an entry lacks. Without it such entries are refused.'),
  keepDays: z
    .strictObject({
      gunfire: days.describe('Gunfire alerts, after the hub has acknowledged them.'),
      plateHit: days.describe('Plate hits, after the hub has acknowledged them.'),
      audio: days.describe('Sound kept as evidence of an alert.'),
      picture: days.describe('Pictures kept as evidence of a hit.'),
      audit: days.describe(
        'Audit records; they are deleted within a day after that, but for those of alerts still held.',
      ),
    })
    .describe('How long things are kept. 0: no longer than it takes to deliver them.'),
  evidence: z
    .strictObject({
      audioSeconds: z
        .number()
        .min(0)
        .max(60)
        .meta({ unit: 'seconds' })
        .describe('Longest sound that may leave. 0: none.'),
      platePictures: z.boolean().describe('Whether the cut-out of a plate may leave with a hit.'),
      scenePictures: z.boolean().describe('Whether whole pictures, with people in them, may leave.'),
    })
    .describe('What may leave the gateway to support an alert.'),
  mayAsk: z
    .strictObject({
      evidence: names.describe('For evidence of an alert.'),
      report: names.describe('For counts of reads, hits and lists.'),
      audit: names.describe('For the audit chain.'),
    })
    .describe('Which roles at the hub may ask for what.'),
})

export type Policy = z.output<typeof policySchema>

/** What may leave the gateway as evidence of an alert. */
export type EvidenceKind = 'audio' | 'plate-picture' | 'scene-picture'

/** What is kept for a time. */
export type RetainedKind = keyof Policy['keepDays']

/** What someone may ask a gateway for. */
export type RequestKind = keyof Policy['mayAsk']

/** In force where no policy file is given: strict, so that anything more is somebody's decision. */
export const builtInPolicy: Policy = {
  version: 1,
  purposes: ['felony-warrant', 'missing-person', 'stolen-plate', 'stolen-vehicle'],
  hotlistDefaults: { purposes: [], validForHours: 0 },
  keepDays: { gunfire: 7, plateHit: 1, audio: 0, picture: 1, audit: 365 },
  evidence: { audioSeconds: 0, platePictures: true, scenePictures: false },
  mayAsk: { evidence: ['reviewer'], report: ['auditor', 'reviewer'], audit: ['auditor'] },
}

/** The one text of a policy that its hash is taken of: RFC 8785, lists of names in order and without repeats. */
export function canonicalText(policy: Policy): string {
  return JSON.stringify(policy, (_, value: unknown) => {
    if (Array.isArray(value)) return inOrder(value.map(String))
    if (typeof value !== 'object' || value === null) return value
    // The schema has no key that is a number, so the order of insertion is the order in the text.
    return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
  })
}

/** The hash that every alert names its policy by. `sha256` hashes the UTF-8 form of a text, to lower-case hexadecimal. */
export function policyHash(policy: Policy, sha256: (text: string) => string): string {
  return sha256(canonicalText(policy))
}

/** Whether plates may be matched for that purpose: asked when a list is imported, and again before each alert. */
export function permitsPurpose(policy: Policy, purpose: string): boolean {
  return policy.purposes.includes(purpose)
}

/** What an agency's words for purposes stand for, by its list's configuration. */
export type PurposeWords = Readonly<Record<string, string>>

/** The purpose that a list's word stands for: the word itself, where nothing else is said of it. */
export function purposeOf(word: string, words: PurposeWords): string {
  return Object.hasOwn(words, word) ? (words[word] ?? word) : word
}

/** Every word by which the entries of a list may name a purpose that the policy allows. */
export function permittedWords(policy: Policy, words: PurposeWords): string[] {
  const all = new Set([...policy.purposes, ...Object.keys(words)])
  return [...all].filter(word => permitsPurpose(policy, purposeOf(word, words)))
}

/** Why the policy does not let a list's configuration fill in what its entries lack; null where it does. Hours, or null for none. */
export function defaultRefused(policy: Policy, purpose: string | null, validForHours: number | null): string | null {
  const { hotlistDefaults } = policy
  if (purpose !== null && !(hotlistDefaults.purposes.includes(purpose) && permitsPurpose(policy, purpose))) {
    return `${purpose} as the purpose`
  }
  if (validForHours !== null && !(validForHours <= hotlistDefaults.validForHours)) {
    return `an expiry after ${validForHours} hours, of at most ${hotlistDefaults.validForHours}`
  }
  return null
}

/** Whether that kind of evidence may leave at all; `audioSecondsAllowed` says how much sound. */
export function permitsEvidence(policy: Policy, kind: EvidenceKind): boolean {
  if (kind === 'audio') return policy.evidence.audioSeconds > 0
  return kind === 'plate-picture' ? policy.evidence.platePictures : policy.evidence.scenePictures
}

/** Longest sound that may leave with one alert, seconds; 0 where none may. */
export function audioSecondsAllowed(policy: Policy): number {
  return policy.evidence.audioSeconds
}

/** Whether someone in that role may ask for that. */
export function permitsRequest(policy: Policy, role: string, kind: RequestKind): boolean {
  return policy.mayAsk[kind].includes(role)
}

/** How long something is kept, seconds. */
export function keepSeconds(policy: Policy, kind: RetainedKind): number {
  return policy.keepDays[kind] * 86400
}

function inOrder(list: readonly string[]): string[] {
  return [...new Set(list)].sort()
}

/** What of `after` lets more be matched, kept, let go or asked for than `before`; null where nothing does. */
export function loosened(before: Policy, after: Policy): string | null {
  const more = (one: readonly string[], other: readonly string[]): boolean => other.some(each => !one.includes(each))
  const { hotlistDefaults, keepDays, evidence, mayAsk } = before
  const looser: readonly (readonly [string, boolean])[] = [
    ['purposes', more(before.purposes, after.purposes)],
    ['hotlistDefaults.purposes', more(hotlistDefaults.purposes, after.hotlistDefaults.purposes)],
    ['hotlistDefaults.validForHours', after.hotlistDefaults.validForHours > hotlistDefaults.validForHours],
    ['keepDays.gunfire', after.keepDays.gunfire > keepDays.gunfire],
    ['keepDays.plateHit', after.keepDays.plateHit > keepDays.plateHit],
    ['keepDays.audio', after.keepDays.audio > keepDays.audio],
    ['keepDays.picture', after.keepDays.picture > keepDays.picture],
    // Forgetting what was done sooner is looser.
    ['keepDays.audit', after.keepDays.audit < keepDays.audit],
    ['evidence.audioSeconds', after.evidence.audioSeconds > evidence.audioSeconds],
    ['evidence.platePictures', after.evidence.platePictures && !evidence.platePictures],
    ['evidence.scenePictures', after.evidence.scenePictures && !evidence.scenePictures],
    ['mayAsk.evidence', more(mayAsk.evidence, after.mayAsk.evidence)],
    ['mayAsk.report', more(mayAsk.report, after.mayAsk.report)],
    ['mayAsk.audit', more(mayAsk.audit, after.mayAsk.audit)],
  ]
  return looser.find(([, is]) => is)?.[0] ?? null
}
