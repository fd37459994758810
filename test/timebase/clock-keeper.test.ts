import { type Test, test } from 'tap'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { Hearing } from '../../gateway/acoustics/hearing.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import type { ChronyTracking } from '../../gateway/timebase/chrony.js'
import { ClockKeeper, type ClockReport, ClockReporter } from '../../gateway/timebase/clock-keeper.js'
import { grid, hear, still } from '../acoustics/scene.js'

/** A system clock, a monotonic one and a chrony that follows satellites, as a gateway sees them. */
class World {
  readonly keeper = new ClockKeeper()
  readonly #reporter = new ClockReporter()
  monotonic = 5000
  /** System clock minus monotonic clock. */
  difference = 1_700_000_000
  tracking: ChronyTracking | null = null

  get system(): number {
    return this.monotonic + this.difference
  }

  /** chrony measures the clock now. */
  measure(changes: Partial<ChronyTracking> = {}): this {
    const correction = changes.correction ?? 0
    this.tracking = {
      source: 'PPS',
      stratum: 1,
      referenceTime: this.system + correction,
      correction,
      skew: 0.5,
      rootDelay: 0.0004,
      rootDispersion: 0.0001,
      updateInterval: 16,
      leap: 'normal',
      ...changes,
    }
    return this
  }

  ask(): ClockReport {
    const report = this.#reporter.report(this.tracking, this.monotonic)
    this.keeper.take(report)
    return report
  }

  look() {
    return this.keeper.look(this.system, this.monotonic)
  }

  /** Time passes, with a question every five seconds and a look every second. */
  pass(seconds: number, measures = true) {
    for (let passed = 0; passed < seconds; passed += 1) {
      this.monotonic += 1
      if (measures && passed % 16 === 0) this.measure()
      if (passed % 5 === 0) this.ask()
      this.look()
    }
    return this.look()
  }
}

test('a clock that chrony measures is known with its error, its source and its age', async t => {
  const world = new World()
  t.match(world.look(), { condition: 'unknown', error: Number.POSITIVE_INFINITY, source: 'none', age: null })
  const clock = world.measure().pass(60)
  t.match(clock, { condition: 'synchronised', source: 'PPS', offset: 0 })
  t.ok(clock.error >= 0.0003 && clock.error < 0.0005, `${clock.error}`)
  t.ok((clock.age ?? 99) <= 17)
})

test('when the antenna is lost the error grows from the last measurement on, also when nobody asks chrony any more', async t => {
  const world = new World()
  const before = world.measure().pass(60)
  const held = world.pass(600, false)
  t.equal(held.condition, 'holdover')
  t.ok(held.error > before.error + 500e-6, `${held.error}`)
  world.monotonic += 3600
  const later = world.look()
  t.equal(later.condition, 'holdover')
  t.ok(later.error > held.error + 3600e-6)
  world.monotonic += 24 * 3600
  t.match(world.look(), { condition: 'unknown', error: Number.POSITIVE_INFINITY })
  t.equal(world.measure().pass(32).condition, 'synchronised')
})

test('a clock that is set counts as off by as much until it has been measured again', async t => {
  for (const jump of [1, -1, 0.02, -3600]) {
    const world = new World()
    world.measure().pass(64)
    world.difference += jump
    const at = world.look()
    if (at.condition !== 'unknown') {
      t.equal(at.condition, 'stepped', `${jump} s`)
      t.ok(at.error >= Math.abs(jump) * 0.999, `${jump} s: ${at.error}`)
    } else t.equal(at.error, Number.POSITIVE_INFINITY)
    // Answers that repeat the measurement from before the step clear nothing, whatever its time looks like now.
    for (let second = 0; second < 12; second += 1) {
      world.monotonic += 1
      world.ask()
      t.ok(world.look().error >= Math.abs(jump) * 0.999)
    }
    t.equal(world.pass(32).condition, 'synchronised', `${jump} s, measured again`)
    t.ok(world.look().error < 0.001)
  }
})

test('two steps count together, and one that goes back does not undo the first', async t => {
  const world = new World()
  world.measure().pass(64)
  for (const jump of [1, -1]) {
    world.difference += jump
    world.look()
  }
  t.ok(world.look().error >= 2)
})

test('a measurement made between the question before a step and the step is not taken for one after it', async t => {
  const world = new World()
  world.measure().pass(64)
  world.monotonic += 2
  world.measure()
  world.monotonic += 1
  world.difference += 1
  world.look()
  world.ask()
  t.equal(world.look().condition, 'stepped')
})

test('a leap second is a step of one second that chrony has to measure', async t => {
  const world = new World()
  world.measure({ leap: 'insert-second' }).pass(10, false)
  t.equal(world.look().condition, 'synchronised')
  world.difference -= 1
  t.ok(world.look().error >= 0.999)
  t.equal(world.pass(32).condition, 'synchronised')
})

test('a correction that chrony is taking out counts less and less, so its error grows until it is asked again', async t => {
  const world = new World()
  world.measure({ correction: 0.05 }).ask()
  t.ok(world.look().error < 0.001)
  t.equal(world.look().offset, 0.05)
  world.monotonic += 1
  t.ok(world.look().error >= 0.05)
})

test('an age that grows without answers is told, and no answer is no clock', async t => {
  const world = new World()
  world.measure().ask()
  world.monotonic += 30
  t.ok(Math.abs((world.look().age ?? 0) - 30) < 0.001)
  world.tracking = null
  world.ask()
  t.equal(world.look().condition, 'unknown')
})

test('questions without an answer change nothing for twenty seconds, in holdover neither, and then there is no clock', async t => {
  for (const silent of [0, 600]) {
    const world = new World()
    world.measure().pass(60)
    if (silent > 0) world.pass(silent, false)
    world.ask()
    const before = world.look()
    const said = world.tracking
    world.tracking = null
    for (let second = 1; second <= 20; second += 1) {
      world.monotonic += 1
      if (second % 5 === 0) world.ask()
      const { condition, error } = world.look()
      t.equal(condition, before.condition, `after ${second} s`)
      t.ok(error > before.error && error < before.error + 0.0001, `${error}`)
    }
    world.monotonic += 5
    world.ask()
    t.match(world.look(), { condition: 'unknown', error: Number.POSITIVE_INFINITY })
    world.tracking = said
    world.ask()
    t.ok(Number.isFinite(world.look().error), 'it answers again')
  }
})

test('a measurement from before a step is not taken for one after it because a question in between had no answer', async t => {
  for (const unanswered of [1, 6]) {
    const world = new World()
    world.measure().pass(64)
    world.monotonic += 2
    world.difference += 1
    world.look()
    const said = world.tracking
    for (const tracking of [...Array.from({ length: unanswered }, () => null), said, said]) {
      world.monotonic += 5
      world.tracking = tracking
      world.ask()
      t.ok(world.look().error >= 0.999)
    }
    t.equal(world.look().condition, 'stepped')
    t.equal(world.pass(32).condition, 'synchronised', 'measured again')
  }
})

/** How five gateways report one shot when one clock error is that of the keeper. */
function qualityWith(t: Test, timeError: number): string {
  const places = grid(3, 2, 220)
  const at = 1_700_000_010
  const scene = hear({ seed: 5, places, guns: [{ east: 40, north: 30, rounds: [at] }], echoesPerArrival: 0 })
  const plane = new TangentPlane({ latitude: 40.44, longitude: -79.99, altitude: 230 })
  const own = places[0]
  if (own === undefined) throw new Error('no gateway')
  const hearing = new Hearing({
    gateway: own.gateway,
    epoch: '5c2e',
    position: plane.toGeodetic(own.position),
    positionError: 1,
    weather: still,
    locate: locateShots,
    heartbeat: 1,
    loneSalience: 12,
  })
  const qualities: string[] = []
  for (let now = at - 12; now < at + 14; now += 0.25) {
    const fresh = scene.arrivals
      .filter(({ time }) => time < now && time >= now - 0.25)
      .map(arrival => ({ ...arrival, gunProbability: 0.99, timeError: Math.hypot(arrival.timeError, timeError) }))
    for (const place of places) {
      const arrivals = fresh.filter(({ gateway }) => gateway === place.gateway)
      if (place === own) hearing.hear(arrivals, now, now)
      else {
        const position = plane.toGeodetic(place.position)
        const report = { gateway: place.gateway, epoch: '5c2e', position, positionError: 1, heardUntil: now, arrivals }
        hearing.receive(report, now)
      }
    }
    qualities.push(...hearing.advance(now).due.map(({ revision }) => revision.quality))
  }
  t.ok(qualities.length > 0, 'the shot is told, whatever the clock')
  return qualities.at(-1) ?? 'none'
}

test('the error of a clock that has lost its source decides whether a shot is located or only heard', async t => {
  const world = new World()
  world.measure({ skew: 20 }).ask()
  t.equal(qualityWith(t, world.look().error), 'located')
  world.monotonic += 2 * 3600
  t.equal(world.look().condition, 'holdover')
  t.not(qualityWith(t, world.look().error), 'located')
  world.measure().ask()
  world.difference += 1
  t.not(qualityWith(t, world.look().error), 'located', 'a clock that has jumped by a second')
  t.not(qualityWith(t, Number.POSITIVE_INFINITY), 'located', 'a clock of which nothing is known')
})
