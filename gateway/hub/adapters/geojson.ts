import type { MessageData, MessageEvent } from '../../messages/table.js'
import { ellipseOutline, isLocated, rounded } from './ellipse-outline.js'

/** What can be drawn on a map. */
export type MappableEvent = MessageEvent<'gunfire'> | MessageEvent<'plate-hit'>

/** Where a gateway stands, from its capabilities; degrees. Undefined where it is not known. */
export type PlaceOfGateway = (
  site: string,
  gateway: string,
) => { readonly latitude: number; readonly longitude: number } | undefined

type Geometry =
  | { readonly type: 'Point'; readonly coordinates: readonly number[] }
  | { readonly type: 'Polygon'; readonly coordinates: readonly (readonly (readonly number[])[])[] }

export interface Feature {
  readonly type: 'Feature'
  /** The same in every revision, so that a map replaces what it drew before. */
  readonly id: string
  /** Null where no place is known. */
  readonly geometry: Geometry | null
  readonly properties: Readonly<Record<string, unknown>>
}

export interface FeatureCollection {
  readonly type: 'FeatureCollection'
  readonly features: readonly Feature[]
}

/**
 * RFC 7946. Of gunfire, each shot is a point and the ellipse that holds it with the stated confidence a polygon; a shot
 * without a position has a null geometry. `properties.state` says `withdrawn` where what was drawn has to go; a revision
 * may hold fewer shots than the one before, so take every feature of the `incident` away first. A plate hit stands where
 * its gateway does, if `placeOf` knows. Every feature carries `exercise`.
 */
export function geoJsonOf(event: MappableEvent, placeOf: PlaceOfGateway = () => undefined): FeatureCollection {
  const features =
    event.name === 'gunfire' ? event.data.shots.flatMap((_, index) => shotOf(event, index)) : [hitOf(event, placeOf)]
  return { type: 'FeatureCollection', features }
}

function shotOf(event: MessageEvent<'gunfire'>, index: number): Feature[] {
  const { shots, incident, revision, state, quality, reviewed, weapon } = event.data
  const shot = shots[index]
  if (shot === undefined) return []
  const { time, timeError, probability, sound = null, bearing } = shot
  const whose = { kind: 'gunfire', incident, revision, state, exercise: event.exercise, shot: index + 1 }
  const properties = {
    ...whose,
    quality,
    reviewed,
    weapon,
    time,
    timeError,
    probability,
    sound,
    bearing,
    heardBy: gatewaysOf(shot),
  }
  const id = `${incident}/${index + 1}`
  if (!isLocated(shot)) return [{ type: 'Feature', id, geometry: null, properties }]
  const { latitude, longitude, altitude } = shot.position
  const coordinates = [rounded(longitude), rounded(latitude), ...(altitude === null ? [] : [altitude])]
  return [
    {
      type: 'Feature',
      id,
      geometry: { type: 'Point', coordinates },
      properties: { ...properties, ...shot.uncertainty },
    },
    {
      type: 'Feature',
      id: `${id}/ellipse`,
      geometry: { type: 'Polygon', coordinates: [ellipseOutline(shot)] },
      properties: { ...whose, kind: 'gunfire-ellipse', confidence: shot.uncertainty.confidence },
    },
  ]
}

function hitOf(event: MessageEvent<'plate-hit'>, placeOf: PlaceOfGateway): Feature {
  const { site, gateway } = event.stream
  const place = placeOf(site, gateway)
  return {
    type: 'Feature',
    id: event.data.hit,
    geometry:
      place === undefined ? null : { type: 'Point', coordinates: [rounded(place.longitude), rounded(place.latitude)] },
    properties: { kind: 'plate-hit', exercise: event.exercise, gateway, ...event.data },
  }
}

function gatewaysOf({ arrivals }: MessageData<'gunfire'>['shots'][number]): string[] {
  return [...new Set(arrivals.map(({ gateway }) => gateway))]
}
