import type { MessageData } from '../messages/table.js'
import { formatTime } from '../messages/time.js'
import type { Match } from '../plates/match.js'
import type { Passage } from '../plates/passages.js'

export type PlateHit = MessageData<'plate-hit'>

/** A piece of evidence as its alert names it. */
export type EvidenceReference = NonNullable<PlateHit['evidence']>[number]

/** How far the camera has come that follows the plate. */
export type Sighting = NonNullable<PlateHit['passage']>

/** What a read says beside its text. */
export interface Circumstances {
  readonly country: string | null
  readonly lane: string | null
  readonly direction: PlateHit['read']['direction']
  readonly time: number
  readonly reader: string
  /** Null where no camera follows the plate. */
  readonly sighting: Sighting | null
  readonly pictures: readonly EvidenceReference[]
}

/** The message of a hit: everything that a person needs to see how it came about. */
export function plateHit(
  hit: string,
  { entry, tier, differing, reasons }: Match,
  passage: Passage<unknown>,
  { country, lane, direction, time, reader, sighting, pictures }: Circumstances,
  policy: string,
): PlateHit {
  return {
    hit,
    state: 'new',
    supersededBy: null,
    entry: {
      list: entry.list,
      generation: entry.generation,
      id: entry.id,
      issue: entry.issue,
      state: entry.state,
      purpose: entry.purpose,
      expires: formatTime(entry.expires),
    },
    tier,
    match: {
      kind: reasons.includes('text-exact') ? 'exact' : reasons.includes('text-one-edit') ? 'one-edit' : 'look-alike',
      differences: [...differing],
      reasons: [...reasons],
    },
    plate: entry.text,
    read: {
      text: passage.text,
      confidence: passage.confidence,
      country,
      state: passage.state,
      lane,
      direction,
      time: formatTime(time),
      reader,
      count: passage.count,
    },
    ...(sighting === null ? {} : { passage: sighting }),
    rawReads: rawReads(passage),
    unverified: true,
    pictures: pictures.length === 0 ? null : pictures.map(({ id }) => id),
    ...(pictures.length === 0 ? {} : { evidence: [...pictures] }),
    policy,
  }
}

/** The same hit at a later time of its passage: with all reads so far. */
export function grown(hit: PlateHit, passage: Passage<unknown>): PlateHit {
  return {
    ...hit,
    state: 'updated',
    read: { ...hit.read, count: passage.count, confidence: passage.confidence, state: passage.state },
    rawReads: rawReads(passage),
  }
}

/** Whether two hits say different things, the times and counters apart; of a passage its end is news, an update without any is none. */
export function saysOtherwise(one: PlateHit, other: PlateHit): boolean {
  const said = ({ tier, match, read, passage, pictures }: PlateHit) =>
    JSON.stringify([
      tier,
      match,
      read.text,
      read.state,
      read.direction,
      passage?.id,
      passage?.phase === 'final',
      pictures,
    ])
  return said(one) !== said(other)
}

function rawReads({ reads }: Passage<unknown>): PlateHit['rawReads'] {
  return reads.map(({ reader, raw, confidence, state, time }) => ({
    reader,
    text: raw,
    confidence,
    state,
    time: formatTime(time),
  }))
}
