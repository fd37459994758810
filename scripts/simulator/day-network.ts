import type { Arrival, LocalPosition, LocatedShot } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { Hearing, type Locator, usualLoneSalience } from '../../gateway/acoustics/hearing.js'
import type { GunfireRevision } from '../../gateway/acoustics/incident.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import { Ear } from '../../gateway/commands/ear.js'
import { City } from './buildings.js'
import { GatewayRenderer } from './render.js'
import type { Scene, SceneGateway } from './scene.js'

/** Sound goes to the ears and messages to the neighbours in such steps, and for so long after the last sound, seconds. */
const step = 1
/** Gateways tell what they have just heard so long before anyone solves for it, as messages take their time, seconds. */
const tellingTime = 0.8
const afterwards = 20

/** Told of what the gateways hear and publish as it happens. */
export interface DayWitness {
  heard(gateway: SceneGateway, arrivals: readonly Arrival[]): void
  published(gateway: SceneGateway, revision: GunfireRevision): void
  /** @param seconds of the scene that are over */
  progress(seconds: number): void
}

interface Pole {
  readonly gateway: SceneGateway
  readonly renderer: GatewayRenderer
  readonly ear: Ear
  readonly hearing: Hearing
  next: number
}

/**
 * Streams a scene through the ears and the hearing of all its gateways, which tell each other their arrivals within a
 * step. Nothing is kept but what they keep themselves: memory does not grow with the length of the scene.
 */
export function listenToScene(scene: Scene, witness: DayWitness, { from, until }: Stretch = wholeOf(scene)): void {
  const solutions = new Map<string, readonly LocatedShot[]>()
  const poles = polesOf(scene, shared(solutions))
  const block = Math.round(step * scene.sampleRate)
  for (const pole of poles) pole.next = Math.round(from * scene.sampleRate)
  for (let seconds = from + step; seconds < until + afterwards; seconds += step) {
    const now = scene.start + seconds
    const solvedAt = now + tellingTime - step
    solutions.clear()
    exchange(poles, solvedAt, witness)
    for (const pole of poles) {
      // A block is heard when its last sample is taken; recordings begin up to half a second into the scene.
      const last = Math.min(pole.renderer.sampleCount, Math.round(until * scene.sampleRate))
      const count = Math.min(block, last - pole.next)
      if (count <= 0 || pole.gateway.startDelay + (pole.next + count) / scene.sampleRate > seconds) continue
      const { arrivals, heardUntil } = pole.ear.take({
        kind: 'audio',
        channels: pole.renderer.samples(pole.next, count),
        sampleRate: scene.sampleRate,
        firstSample: pole.next,
        systemTime: systemTimeOf(scene, pole.gateway, pole.next),
        systemTimeError: 0.0001,
      })
      pole.next += count
      pole.hearing.hear(arrivals, heardUntil, now)
      if (arrivals.length > 0) witness.heard(pole.gateway, arrivals)
    }
    exchange(poles, now, witness)
    witness.progress(seconds)
  }
}

/** Seconds of a scene between which it is listened to. */
export interface Stretch {
  readonly from: number
  readonly until: number
}

export function wholeOf({ duration }: Scene): Stretch {
  return { from: 0, until: duration }
}

function exchange(poles: readonly Pole[], now: number, witness: DayWitness): void {
  for (const pole of poles) {
    const { report, due } = pole.hearing.advance(now)
    for (const other of poles) {
      if (other === pole) continue
      if (report !== null) other.hearing.receive(report, now)
      for (const { claim } of due) other.hearing.receiveClaim(claim, now)
    }
    for (const { revision } of due) witness.published(pole.gateway, revision)
  }
}

/**
 * Gateways that know the same arrivals at the same moment come to the same solution but for the origin of their planes and for
 * up to when they know that the others heard nothing, which is a second's difference; it is worked out once for all of them.
 */
function shared(solutions: Map<string, readonly LocatedShot[]>): Locator {
  return input => {
    const places = [...input.places.values()].sort((a, b) => (a.gateway < b.gateway ? -1 : 1))
    const origin = places[0]?.position ?? { east: 0, north: 0, up: 0 }
    const key = JSON.stringify([
      places.map(({ gateway, positionError }) => [gateway, positionError]),
      input.arrivals.map(({ id, timeError }) => `${id} ${timeError}`).sort(),
      [...input.heardUntil.keys()].sort(),
    ])
    let found = solutions.get(key)
    if (found === undefined) {
      const moved = places.map(each => ({ ...each, position: shifted(origin, each.position, -1) }))
      found = locateShots({ ...input, places: new Map(moved.map(each => [each.gateway, each])) })
      solutions.set(key, found)
    }
    return found.map(shot => ({ ...shot, position: shifted(origin, shot.position, 1) }))
  }
}

function shifted(origin: LocalPosition, { east, north, up }: LocalPosition, sign: 1 | -1): LocalPosition {
  return { east: east + sign * origin.east, north: north + sign * origin.north, up: up + sign * origin.up }
}

function polesOf(scene: Scene, locate: Locator): Pole[] {
  const city = new City(scene.buildings)
  const plane = new TangentPlane(scene.origin)
  return scene.gateways.map(gateway => ({
    gateway,
    renderer: new GatewayRenderer(scene, gateway, city),
    ear: new Ear({
      gateway: gateway.id,
      part: gateway.array,
      epoch: 'day',
      fullScaleLevel: gateway.microphones.fullScaleLevel,
      clock: { offset: 0, error: gateway.timeError },
      direction: null,
    }),
    hearing: new Hearing({
      gateway: gateway.id,
      epoch: 'day',
      position: plane.toGeodetic(gateway.statedPosition),
      positionError: gateway.positionError,
      weather: scene.statedWeather,
      locate,
      heartbeat: 10,
      loneSalience: usualLoneSalience,
    }),
    next: 0,
  }))
}

/** When the gateway's own clock reads that it took a sample. */
function systemTimeOf(scene: Scene, { startDelay, clockOffset, drift }: SceneGateway, sample: number): number {
  return scene.start + startDelay + clockOffset + sample / (scene.sampleRate * (1 + 1e-6 * drift))
}
