import { XMLBuilder } from 'fast-xml-parser'
import { parseTime } from '../../messages/time.js'
import { ellipseOutline, type LocatedShot } from './ellipse-outline.js'
import { type Notice, type NoticeEvent, noticeOf } from './notice.js'

export interface CapOptions {
  /** Who sends: an address of the centre, as `crime-centre@city.example`. Without spaces, commas, `<` and `&`. */
  readonly sender: string
  /** Shown to people; default: `sender`. */
  readonly senderName?: string
  /** Who may see it. Default: for the crime centre and the units it sends, not for the public. */
  readonly restriction?: string
  /** Seconds from an event on for which its alert holds; default 3600. */
  readonly lifetime?: number
}

const remembered = 10_000
const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  format: true,
  suppressEmptyNode: true,
})

/**
 * Writes alerts as OASIS Common Alerting Protocol 1.2. It remembers what it wrote of each incident and hit, since an update
 * or a cancellation has to name the messages that it replaces; after a restart, one whose forerunners are not known goes out
 * as a new alert, a cancellation as nothing.
 */
export class CapWriter {
  readonly #options: CapOptions
  readonly #references = new Map<string, string[]>()

  constructor(options: CapOptions) {
    if (!/^[^\s,<&]+$/.test(options.sender)) throw new RangeError('a CAP sender has no spaces, commas, < or &')
    this.#options = options
  }

  /** The XML document, or null for the cancellation of what was never written here. */
  write(event: NoticeEvent): string | null {
    const notice = noticeOf(event)
    const former = this.#references.get(notice.subject) ?? []
    if (notice.change === 'cancel' && former.length === 0) return null
    const { sender, restriction = 'For the crime centre and the units that it sends; not for the public' } =
      this.#options
    const identifier = `${event.source.slice(1).replaceAll('/', '.')}.${event.id}`
    const sent = capTime(event.time)
    this.#remember(notice, [...former, `${sender},${identifier},${sent}`])
    return builder.build({
      '?xml': { '@version': '1.0', '@encoding': 'UTF-8' },
      alert: {
        '@xmlns': 'urn:oasis:names:tc:emergency:cap:1.2',
        identifier,
        sender,
        sent,
        status: event.exercise ? 'Exercise' : 'Actual',
        msgType: former.length === 0 ? 'Alert' : notice.change === 'cancel' ? 'Cancel' : 'Update',
        source: `${event.stream.site}/${event.stream.gateway}`,
        scope: 'Restricted',
        restriction,
        ...(event.exercise ? { note: 'Made for a test or a drill. Nobody is in danger.' } : {}),
        ...(former.length === 0 ? {} : { references: former.join(' ') }),
        incidents: notice.subject,
        info: this.#info(event, notice),
      },
    })
  }

  #info(event: NoticeEvent, notice: Notice): object {
    const { sender, senderName = sender, lifetime = 3600 } = this.#options
    const onset = event.name === 'gunfire' ? event.data.shots[0]?.time : undefined
    const { gateway } = event.stream
    return {
      language: 'en-US',
      category: 'Security',
      event: notice.title,
      responseType: notice.change === 'cancel' ? 'None' : 'Assess',
      urgency: notice.change === 'cancel' ? 'Past' : 'Immediate',
      severity: event.name === 'gunfire' ? 'Severe' : 'Unknown',
      certainty: certaintyOf(notice.probability),
      ...(onset === undefined ? {} : { onset: capTime(parseTime(onset)) }),
      expires: capTime(event.time + lifetime),
      senderName,
      headline: notice.headline.slice(0, 160),
      description: notice.description,
      parameter: [
        { valueName: 'polewatch:exercise', value: String(event.exercise) },
        { valueName: 'polewatch:source', value: event.source },
        { valueName: 'polewatch:sequence', value: event.sequence.toString() },
        ...(notice.probability === null
          ? []
          : [{ valueName: 'polewatch:probability', value: String(notice.probability) }]),
      ],
      area: notice.shots.length === 0 ? { areaDesc: `Near gateway ${gateway}` } : notice.shots.map(areaOf),
    }
  }

  #remember({ subject, change }: Notice, references: string[]): void {
    this.#references.delete(subject)
    if (change === 'cancel') return
    this.#references.set(subject, references)
    const [oldest] = this.#references.keys()
    if (this.#references.size > remembered && oldest !== undefined) this.#references.delete(oldest)
  }
}

function areaOf(shot: LocatedShot, index: number): object {
  const percent = Math.round(100 * shot.uncertainty.confidence)
  return {
    areaDesc: `Shot ${index + 1}, with ${percent} % confidence`,
    polygon: ellipseOutline(shot)
      .map(([longitude, latitude]) => `${latitude},${longitude}`)
      .join(' '),
  }
}

/** CAP 1.2, section 3.2.2: likely means more than half. "Observed" is left to people. */
function certaintyOf(probability: number | null): string {
  if (probability === null) return 'Unknown'
  return probability > 0.5 ? 'Likely' : 'Possible'
}

/** CAP wants whole seconds and the zone as an offset, that of UTC as -00:00. */
function capTime(seconds: number): string {
  return `${new Date(Math.floor(seconds) * 1000).toISOString().slice(0, 19)}-00:00`
}
