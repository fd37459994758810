import type { Arrival, LocalPosition, LocatedShot } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { Hearing, type Locator, usualLoneSalience } from '../../gateway/acoustics/hearing.js'
import type { GunfireRevision } from '../../gateway/acoustics/incident.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import { Ear } from '../../gateway/commands/ear.js'
import { City } from './buildings.js'
import { GatewayRenderer } from './render.js'
import type { Scene, SceneGateway } from './scene.js'
import { type SourceKind, soundingSpan } from './source.js'

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

/** What one step of a scene's sound gave: which arrivals each gateway heard, and up to when it has listened. */
export interface HeardStep {
  /** Of the scene, at the step's end. */
  readonly seconds: number
  /** Set in the first step of a stretch: what came before it, nobody heard. */
  readonly begins: boolean
  readonly heard: readonly {
    readonly gateway: string
    readonly arrivals: readonly Arrival[]
    readonly heardUntil: number
  }[]
}

interface Listener {
  readonly gateway: SceneGateway
  readonly renderer: GatewayRenderer
  next: number
}

/** Renders stretches of a scene, in order of time, and streams them through its gateways' ears. */
export function* hearScene(scene: Scene, stretches: readonly Stretch[]): Generator<HeardStep> {
  const city = new City(scene.buildings)
  const listeners = scene.gateways.map(gateway => {
    return { gateway, renderer: new GatewayRenderer(scene, gateway, city), next: 0 }
  })
  for (const stretch of stretches) yield* hearStretch(scene, listeners, stretch)
}

function* hearStretch(scene: Scene, listeners: readonly Listener[], { from, until }: Stretch): Generator<HeardStep> {
  const block = Math.round(step * scene.sampleRate)
  const ears = new Map(listeners.map(({ gateway }) => [gateway.id, earOf(gateway, from)]))
  for (const listener of listeners) listener.next = Math.round(from * scene.sampleRate)
  for (let seconds = from + step; seconds < until + afterwards; seconds += step) {
    const heard = listeners.flatMap(listener => {
      const { gateway, renderer, next } = listener
      // A block is heard when its last sample is taken; recordings begin up to half a second into the scene.
      const last = Math.min(renderer.sampleCount, Math.round(until * scene.sampleRate))
      const count = Math.min(block, last - next)
      if (count <= 0 || gateway.startDelay + (next + count) / scene.sampleRate > seconds) return []
      const told = ears.get(gateway.id)?.take({
        kind: 'audio',
        channels: renderer.samples(next, count),
        sampleRate: scene.sampleRate,
        firstSample: next,
        systemTime: systemTimeOf(scene, gateway, next),
        systemTimeError: 0.0001,
      })
      listener.next += count
      return told === undefined ? [] : [{ gateway: gateway.id, ...told }]
    })
    yield { seconds, begins: seconds === from + step, heard }
  }
}

interface Pole {
  readonly gateway: SceneGateway
  readonly hearing: Hearing
}

/**
 * Passes what a scene's gateways heard through the hearing of each, which tell each other their arrivals within a step.
 * Nothing is kept but what they keep themselves: memory does not grow with the length of the scene.
 */
export function followScene(scene: Scene, steps: Iterable<HeardStep>, witness: DayWitness): void {
  const solutions = new Map<string, readonly LocatedShot[]>()
  let poles: readonly Pole[] = []
  for (const { seconds, begins, heard } of steps) {
    if (begins) poles = polesOf(scene, shared(solutions), seconds)
    const now = scene.start + seconds
    solutions.clear()
    exchange(poles, now + tellingTime - step, witness)
    for (const { gateway, arrivals, heardUntil } of heard) {
      const pole = poles.find(({ gateway: { id } }) => id === gateway)
      if (pole === undefined) continue
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

/** The stretches around sounds of some kinds: from so many seconds before each to so many after its end, joined where they meet. */
export function stretchesAround(
  scene: Scene,
  kinds: ReadonlySet<SourceKind>,
  before: number,
  after: number,
): Stretch[] {
  const stretches: Stretch[] = []
  for (const source of scene.sources) {
    if (!kinds.has(source.kind)) continue
    const time = Math.floor(source.time - scene.start)
    const from = Math.max(0, time - before)
    const until = Math.min(scene.duration, Math.ceil(time + soundingSpan(source).after + after))
    const last = stretches.at(-1)
    if (last !== undefined && from <= last.until + afterwards)
      stretches[stretches.length - 1] = { from: last.from, until: Math.max(last.until, until) }
    else stretches.push({ from, until })
  }
  return stretches
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

function earOf(gateway: SceneGateway, from: number): Ear {
  return new Ear({
    gateway: gateway.id,
    part: gateway.array,
    epoch: `day${from}`,
    fullScaleLevel: gateway.microphones.fullScaleLevel,
    clock: () => ({ offset: 0, error: gateway.timeError }),
    direction: null,
  })
}

function polesOf(scene: Scene, locate: Locator, from: number): Pole[] {
  const plane = new TangentPlane(scene.origin)
  return scene.gateways.map(gateway => ({
    gateway,
    hearing: new Hearing({
      gateway: gateway.id,
      epoch: `day${from}`,
      position: plane.toGeodetic(gateway.statedPosition),
      positionError: gateway.positionError,
      weather: scene.statedWeather,
      locate,
      heartbeat: 10,
      loneSalience: usualLoneSalience,
    }),
  }))
}

/** When the gateway's own clock reads that it took a sample. */
function systemTimeOf(scene: Scene, { startDelay, clockOffset, drift }: SceneGateway, sample: number): number {
  return scene.start + startDelay + clockOffset + sample / (scene.sampleRate * (1 + 1e-6 * drift))
}
