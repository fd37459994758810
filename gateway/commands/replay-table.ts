import { TangentPlane } from '../acoustics/geodesy.js'
import type { GunfireRevision, ReportedShot } from '../acoustics/incident.js'
import type { RecordingSet, TrueShot } from './recording-set.js'
import { bold, colour, print } from './terminal.js'

/** Prints the last revision of each incident for a person, with the distance to the truth where the set has it. */
export function printIncidents(revisions: readonly GunfireRevision[], set: RecordingSet): void {
  const last = new Map(revisions.map(revision => [revision.incident, revision]))
  const incidents = [...last.values()].filter(({ state }) => state !== 'withdrawn')
  if (incidents.length === 0) print('No gunfire was found.')
  for (const incident of incidents) {
    const { shots } = incident
    print(
      `${bold(`Incident ${incident.incident}`)}: ${shots.length} ${shots.length === 1 ? 'shot' : 'shots'}, ${incident.quality}`,
    )
    const fromTruth = set.truth.length > 0 ? '  from truth' : ''
    print(`  time (UTC)        latitude   longitude  95 % within     probability  gateways${fromTruth}`)
    for (const shot of shots) print(`  ${row(shot, set.truth)}`)
  }
}

function row(shot: ReportedShot, truth: readonly TrueShot[]): string {
  const time = new Date(shot.time * 1000).toISOString().slice(11, 23)
  const gateways = new Set(shot.arrivals.map(({ gateway }) => gateway)).size
  const { position, uncertainty } = shot
  const place =
    position === null || uncertainty === null
      ? directionOf(shot).padEnd(38)
      : `${position.latitude.toFixed(6)} ${position.longitude.toFixed(6).padStart(11)}  ${`${uncertainty.semiMajor.toFixed(1)} × ${uncertainty.semiMinor.toFixed(1)} m`.padEnd(14)}`
  const away = distanceToTruth(shot, truth)
  return `${time}  ${place}  ${shot.probability.toFixed(2).padStart(11)}  ${String(gateways).padStart(8)}  ${away === null ? '' : colour('green', `${away.toFixed(1)} m`)}`
}

/** From where a shot without a place was heard. */
function directionOf({ bearing, arrivals }: ReportedShot): string {
  if (bearing === null) return 'no position'
  return `bearing ${bearing.azimuth.toFixed(0)}° ± ${bearing.error.toFixed(0)}° from ${arrivals[0]?.gateway ?? 'there'}`
}

/** Metres on the ground from a shot to the nearest true one; null without position or truth. */
export function distanceToTruth(shot: Pick<ReportedShot, 'position'>, truth: readonly TrueShot[]): number | null {
  if (shot.position === null || truth.length === 0) return null
  const plane = new TangentPlane(shot.position)
  return Math.min(
    ...truth.map(({ position }) => {
      const { east, north } = plane.toLocal(position)
      return Math.hypot(east, north)
    }),
  )
}
