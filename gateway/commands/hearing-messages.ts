import type { Arrival, SourceRange, Weather } from '../acoustics/arrival.js'
import type { GeodeticPosition } from '../acoustics/geodesy.js'
import type { NeighbourReport } from '../acoustics/hearing.js'
import type { Claim, GunfireRevision } from '../acoustics/incident.js'
import type { EventDraft, MessageData } from '../messages/table.js'
import { formatTime, parseTime } from '../messages/time.js'
import type { EvidenceReference } from './plate-hit.js'

/** Between the plain shapes of `acoustics` and the messages. Errors that are not known are bounded by a day on the wire. */

const unknownError = 86_400

/** The alert that tells the hub of a revision. */
export function gunfireDraft(
  revision: GunfireRevision,
  context: {
    readonly now: number
    readonly exercise: boolean
    readonly policy: string
    readonly evidence?: EvidenceReference | null
  },
): EventDraft<'gunfire'> {
  return {
    name: 'gunfire',
    time: context.now,
    exercise: context.exercise,
    subject: revision.incident,
    data: {
      incident: revision.incident,
      revision: revision.revision,
      state: revision.state,
      mergedInto: revision.mergedInto,
      reviewed: false,
      quality: revision.quality,
      weapon: 'unknown',
      shots: revision.shots.map(shot => ({
        time: formatTime(shot.time, 6),
        timeError: rounded(shot.timeError, 6),
        probability: rounded(shot.probability, 4),
        ...(shot.sound === null ? {} : { sound: shot.sound }),
        position: shot.position === null ? null : wirePosition(shot.position, shot.heightError !== null),
        uncertainty:
          shot.uncertainty === null
            ? null
            : {
                semiMajor: rounded(shot.uncertainty.semiMajor, 2),
                semiMinor: rounded(shot.uncertainty.semiMinor, 2),
                orientation: rounded(shot.uncertainty.orientation, 1) % 180,
                confidence: shot.uncertainty.confidence,
                ...(shot.heightError === null ? {} : { altitudeError: rounded(shot.heightError, 1) }),
              },
        ...(shot.corroborated === null ? {} : { corroborated: shot.corroborated }),
        bearing: shot.bearing,
        ...(shot.range === null ? {} : { range: wireRange(shot.range) }),
        arrivals: shot.arrivals.map(arrival => ({
          id: arrival.id,
          gateway: arrival.gateway,
          time: formatTime(arrival.time, 6),
          error: rounded(arrival.error, 6),
          residual: shot.position === null ? null : rounded(arrival.residual, 6),
          soundLevel: rounded(arrival.soundLevel, 1),
        })),
      })),
      ...(context.evidence == null ? {} : { evidence: [context.evidence] }),
      policy: context.policy,
    },
  }
}

/** What a gateway tells its neighbours of its arrivals. */
export function arrivalDraft(
  report: NeighbourReport,
  context: {
    readonly now: number
    readonly exercise: boolean
    readonly clockError: number
    readonly weather: Weather
  },
): EventDraft<'arrival'> {
  return {
    name: 'arrival',
    time: context.now,
    exercise: context.exercise,
    data: {
      gateway: report.gateway,
      epoch: report.epoch,
      position: wirePosition(report.position, true),
      positionError: report.positionError,
      clockError: Number.isFinite(context.clockError) ? context.clockError : null,
      heardUntil: formatTime(report.heardUntil, 6),
      weather: context.weather,
      arrivals: report.arrivals.map(arrival => ({
        id: arrival.id,
        time: formatTime(arrival.time, 6),
        timeError: rounded(arrival.timeError, 6),
        salience: rounded(arrival.salience, 3),
        soundLevel: rounded(arrival.soundLevel, 1),
        bearing: arrival.bearing,
        gunProbability: wireProbability(arrival.gunProbability),
        fireworkProbability: wireProbability(arrival.fireworkProbability ?? null),
        ...(arrival.range === undefined ? {} : { range: wireRange(arrival.range) }),
      })),
    },
  }
}

/** A neighbour's report as the hearing takes it. */
export function neighbourReport(data: MessageData<'arrival'>): NeighbourReport {
  return {
    gateway: data.gateway,
    epoch: data.epoch,
    position: { ...data.position, altitude: data.position.altitude ?? 0 },
    positionError: data.positionError,
    heardUntil: parseTime(data.heardUntil),
    arrivals: data.arrivals.map(
      ({ range, ...arrival }): Arrival => ({
        ...arrival,
        gateway: data.gateway,
        time: parseTime(arrival.time),
        ...(range === undefined ? {} : { range }),
      }),
    ),
  }
}

/** The claim that keeps neighbours from reporting the same incident. */
export function claimDraft(
  claim: Claim,
  revision: GunfireRevision,
  context: { readonly now: number; readonly exercise: boolean },
): EventDraft<'claim'> {
  const [first] = revision.shots
  return {
    name: 'claim',
    time: context.now,
    exercise: context.exercise,
    subject: claim.incident,
    data: {
      incident: claim.incident,
      reporter: claim.reporter,
      earliest: { id: claim.earliest.id, time: formatTime(claim.earliest.time, 6) },
      arrivals: [...claim.arrivals],
      revision: claim.revision,
      state: claim.state,
      position: first?.position == null ? null : wirePosition(first.position, first.heightError !== null),
      quality: claim.quality,
      time: formatTime(first?.time ?? claim.time, 6),
    },
  }
}

/** A neighbour's claim as the hearing takes it. */
export function claimOf(data: MessageData<'claim'>): Claim {
  return {
    incident: data.incident,
    reporter: data.reporter,
    revision: data.revision,
    state: data.state,
    quality: data.quality,
    time: parseTime(data.time),
    earliest: { id: data.earliest.id, time: parseTime(data.earliest.time) },
    arrivals: data.arrivals,
  }
}

/** Seven decimals of a degree are a centimetre. A height that was not solved for is not told. */
function wirePosition({ latitude, longitude, altitude }: GeodeticPosition, heightKnown: boolean) {
  return {
    latitude: rounded(latitude, 7),
    longitude: rounded(longitude, 7),
    altitude: heightKnown ? rounded(altitude, 1) : null,
  }
}

function wireRange({ distance, nearest, farthest }: SourceRange): SourceRange {
  return { distance: rounded(distance, 1), nearest: rounded(nearest, 1), farthest: rounded(farthest, 1) }
}

function wireProbability(probability: number | null): number | null {
  return probability === null ? null : rounded(probability, 4)
}

function rounded(value: number, decimals: number): number {
  if (!Number.isFinite(value)) return unknownError
  const scale = 10 ** decimals
  return Math.round(value * scale) / scale
}
