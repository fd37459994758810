import type { Configuration } from '../config/schema.js'
import type { Policy, RetainedKind } from '../policy/policy.js'

/** What a unit collects, keeps and gives away, in sentences for who lives beside it. */
export function plainPolicy(
  { policy, hash }: { readonly policy: Policy; readonly hash: string },
  configuration: Configuration,
): string[] {
  const { microphoneArrays, plateReaders, cameras, hotlist } = configuration
  const { keepDays, evidence, purposes, mayAsk } = policy
  const hears = microphoneArrays.length > 0
  const reads = plateReaders.length + cameras.length > 0
  return [
    ...(hears
      ? [
          'It listens for loud, short sounds such as gunshots. Sound stays in memory for moments; speech is not recognised.',
          evidence.audioSeconds > 0 && keepDays.audio > 0
            ? `With an alert of gunfire at most ${evidence.audioSeconds} s of sound are written down and may leave; they are kept ${span(keepDays.audio)}. No other sound is.`
            : 'No sound is written anywhere or ever leaves it: an alert tells time, place and loudness.',
          `Alerts of gunfire are kept here ${span(keepDays.gunfire)} after the hub has them.`,
        ]
      : ['It has no microphone.']),
    ...(reads
      ? [
          `It compares licence plates with ${hotlist.lists.length === 1 ? 'one list' : `${hotlist.lists.length} lists`} of wanted ones. A plate on none of them is forgotten at once: it is not written down, not even scrambled; only how many were read is counted.`,
          `A plate may be wanted for: ${purposes.map(purpose => purpose.replaceAll('-', ' ')).join(', ') || 'nothing'}.`,
          `Alerts of a wanted plate are kept here ${span(keepDays.plateHit)} after the hub has them.`,
          picturesSentence(evidence, keepDays.picture),
        ]
      : ['It reads no licence plates.']),
    `Who looked at this unit, asked it for something or changed it is recorded, and the record is kept ${keepDays.audit === 0 ? 'for a day at most' : `for ${keepDays.audit === 1 ? 'one day' : `${keepDays.audit} days`}, and deleted within a day after that`}. It can be read by: ${mayAsk.audit.join(', ') || 'nobody'}.`,
    `These are the rules in force; every alert names them by their number ${hash.slice(0, 16)}.`,
  ]
}

function picturesSentence(
  { platePictures, scenePictures }: Policy['evidence'],
  days: Policy['keepDays'][RetainedKind],
): string {
  if (scenePictures)
    return `Whole pictures, with people in them, may leave with such an alert; they are kept ${span(days)}.`
  if (platePictures)
    return `Only the picture of the plate itself may leave with such an alert; it is kept ${span(days)}.`
  return 'No picture ever leaves it.'
}

function span(days: number): string {
  if (days === 0) return 'no longer than it takes to deliver them'
  return days === 1 ? 'at most one day' : `at most ${days} days`
}
