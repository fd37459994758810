import type { MessageData, MessageEvent } from '../../messages/table.js'
import { isLocated, type LocatedShot } from './ellipse-outline.js'

/** The alerts that a person has to act on. */
export type NoticeEvent = MessageEvent<'gunfire'> | MessageEvent<'plate-hit'> | MessageEvent<'tamper'>

/** An alert in words, for formats that have no fields of their own for it. */
export interface Notice {
  /** The same in every revision. */
  readonly subject: string
  readonly change: 'new' | 'update' | 'cancel'
  readonly title: string
  readonly headline: string
  readonly description: string
  /** How likely it is what it says, 0 to 1; null where nothing is known. */
  readonly probability: number | null
  readonly shots: readonly LocatedShot[]
}

/** The exercise mark comes first in the headline, where no list cuts it off. */
export function noticeOf(event: NoticeEvent): Notice {
  const notice = wordsOf(event)
  return event.exercise ? { ...notice, headline: `EXERCISE. ${notice.headline}` } : notice
}

function wordsOf(event: NoticeEvent): Notice {
  switch (event.name) {
    case 'gunfire':
      return gunfire(event.data)
    case 'plate-hit':
      return plateHit(event.data, event.stream.gateway)
    case 'tamper': {
      const { tamper, part, state, detail } = event.data
      return {
        subject: `${event.stream.gateway}-${tamper}-${part.replaceAll(/\s/g, '-')}`,
        change: state === 'cleared' ? 'cancel' : 'new',
        title: 'Tampering',
        headline: `${event.stream.gateway}: ${tamper}`,
        description: `${part}: ${detail}`,
        probability: null,
        shots: [],
      }
    }
  }
}

function gunfire({ incident, state, revision, shots, quality, mergedInto }: MessageData<'gunfire'>): Notice {
  const located = shots.filter(isLocated)
  const count = shots.length === 1 ? '1 shot' : `${shots.length} shots`
  const heardBy = new Set(shots.flatMap(({ arrivals }) => arrivals.map(({ gateway }) => gateway)))
  const [first] = shots
  const change = state === 'withdrawn' ? 'cancel' : revision === 1 ? 'new' : 'update'
  const withdrawn = mergedInto === null ? 'Withdrawn: it was a mistake.' : `Withdrawn: it is part of ${mergedInto}.`
  const where = located[0] === undefined ? withoutPlace(first) : withPlace(located[0])
  return {
    subject: incident,
    change,
    title: 'Gunfire',
    headline: change === 'cancel' ? `Gunfire report withdrawn` : `Gunfire: ${count}, ${quality}`,
    description:
      change === 'cancel'
        ? withdrawn
        : `${count} heard by ${heardBy.size === 1 ? '1 gateway' : `${heardBy.size} gateways`}, first at ${first?.time ?? 'an unknown time'}. ${where} ${soundOf(shots)}No person has reviewed it. Nothing is claimed about weapons.`,
    probability: shots.length === 0 ? null : Math.max(...shots.map(({ probability }) => probability)),
    shots: located,
  }
}

const sounds = { gun: 'a gun', 'firework-like': 'a firework', other: 'neither a gun nor a firework' }

/** A sentence with a space after it, or nothing where the shots differ or nothing can be told. */
function soundOf(shots: MessageData<'gunfire'>['shots']): string {
  const [sound, ...others] = new Set(shots.map(shot => shot.sound))
  return sound === undefined || sound === 'unsure' || others.length > 0 ? '' : `It sounds like ${sounds[sound]}. `
}

function withPlace({ position, uncertainty, corroborated }: LocatedShot): string {
  const { latitude, longitude } = position
  const { semiMajor, semiMinor, confidence } = uncertainty
  return `At ${latitude.toFixed(5)}, ${longitude.toFixed(5)}; with ${Math.round(100 * confidence)} % confidence within ${semiMajor.toFixed(0)} by ${semiMinor.toFixed(0)} m.${corroborated === false ? ' The place rests on every one of its gateways.' : ''}`
}

function withoutPlace(shot: MessageData<'gunfire'>['shots'][number] | undefined): string {
  if (shot === undefined || shot.bearing === null) return 'Where it came from is not known.'
  const gateway = shot.arrivals[0]?.gateway ?? 'the gateway'
  return `From ${shot.bearing.azimuth.toFixed(0)}° ± ${(2 * shot.bearing.error).toFixed(0)}° of ${gateway}.`
}

const tiers = { 'confirmed-candidate': 'strong match', possible: 'possible match', investigative: 'weak match' }

function plateHit(data: MessageData<'plate-hit'>, gateway: string): Notice {
  const { hit, state, tier, plate, entry, match, read } = data
  const differences = match.differences.map(
    ({ position, read: is, listed }) => `${position}: read ${is || 'nothing'}, listed ${listed || 'nothing'}`,
  )
  const differing = differences.length === 0 ? 'Text as listed' : `Differs at ${differences.join('; ')}`
  return {
    subject: hit,
    change: state === 'superseded' ? 'cancel' : state === 'updated' ? 'update' : 'new',
    title: 'Plate on a hotlist',
    headline: `Plate ${plate}: ${tiers[tier]}, unverified`,
    description: `${gateway} read ${read.text} (state ${read.state ?? 'not read'}) at ${read.time}. Listed as ${plate} (state ${entry.state ?? 'not given'}) in ${entry.list}, generation ${entry.generation}, entry ${entry.id}, for ${entry.purpose}. ${differing}. Confirm plate and state by eye before acting.`,
    probability: null,
    shots: [],
  }
}
