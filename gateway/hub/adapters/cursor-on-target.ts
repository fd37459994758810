import { XMLBuilder } from 'fast-xml-parser'
import { formatTime, parseTime } from '../../messages/time.js'
import { rounded } from './ellipse-outline.js'
import type { MappableEvent, PlaceOfGateway } from './geojson.js'
import { noticeOf } from './notice.js'

export interface CotOptions {
  /** The type given to gunfire; default `a-u-G`, something unknown on the ground. */
  readonly gunfireType?: string
  /** The type given to a plate hit; default `a-u-G-E-V`, an unknown vehicle. */
  readonly plateHitType?: string
  /** Seconds after which a display may fade the mark: default 600. */
  readonly lifetime?: number
  readonly placeOf?: PlaceOfGateway
}

const builder = new XMLBuilder({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  format: false,
  suppressEmptyNode: true,
})
/** What Cursor-on-Target says for "not known". */
const unknown = '9999999.0'
/** 95 % of a Gaussian lie within so many standard deviations. */
const deviations95 = 1.96

/**
 * Writes alerts as Cursor-on-Target 2.0 events, one a shot that has a position, or one where the gateway of a plate hit
 * stands. What was withdrawn is written once more, stale from the start. An exercise is told by `opex`, and in words.
 */
export function cursorOnTargetOf(event: MappableEvent, options: CotOptions = {}): string[] {
  const { gunfireType = 'a-u-G', plateHitType = 'a-u-G-E-V', lifetime = 600, placeOf } = options
  const notice = noticeOf(event)
  const stale = notice.change === 'cancel' ? event.time : event.time + lifetime
  const common = {
    '@version': '2.0',
    '@time': formatTime(event.time),
    '@stale': formatTime(stale),
    '@how': 'm-f',
    '@opex': event.exercise ? 'e-polewatch' : 'o-polewatch',
    '@access': 'restricted',
  }
  const write = (uid: string, type: string, start: number, point: object, shape: object): string =>
    builder.build({
      event: {
        ...common,
        '@uid': uid,
        '@type': type,
        '@start': formatTime(start),
        point,
        detail: { contact: { '@callsign': notice.headline }, ...shape, remarks: notice.description },
      },
    })
  if (event.name === 'gunfire') {
    return notice.shots.map(({ position, uncertainty, time }, index) => {
      const { semiMajor, semiMinor, orientation, altitudeError } = uncertainty
      const ellipse = {
        '@major': semiMajor.toFixed(1),
        '@minor': semiMinor.toFixed(1),
        '@angle': orientation.toFixed(0),
      }
      const high = altitudeError === undefined ? unknown : (deviations95 * altitudeError).toFixed(1)
      const point = pointOf(position, position.altitude, semiMajor.toFixed(1), high)
      return write(`${event.data.incident}.${index + 1}`, gunfireType, parseTime(time), point, { shape: { ellipse } })
    })
  }
  const place = placeOf?.(event.stream.site, event.stream.gateway)
  if (place === undefined) return []
  return [
    write(event.data.hit, plateHitType, parseTime(event.data.read.time), pointOf(place, null, unknown, unknown), {}),
  ]
}

function pointOf(
  { latitude, longitude }: { readonly latitude: number; readonly longitude: number },
  altitude: number | null,
  radius: string,
  high: string,
): object {
  const height = altitude === null ? unknown : altitude.toFixed(1)
  return { '@lat': rounded(latitude), '@lon': rounded(longitude), '@hae': height, '@ce': radius, '@le': high }
}
