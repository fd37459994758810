import { test } from 'tap'
import type { Arrival, GatewayPlace, LocatedShot } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { Hearing, type Locator } from '../../gateway/acoustics/hearing.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import { type DistrustChange, TrustBook } from '../../gateway/acoustics/trust.js'
import { Street, type Wrong, weather } from './street.js'

const plane = new TangentPlane({ latitude: 40.44, longitude: -79.99, altitude: 230 })

/** One gateway's book after so many shots around the street, and what it told after which of them. */
class Trial {
  readonly street: Street
  readonly book = new TrustBook()
  readonly told: (DistrustChange & { readonly after: number })[] = []
  fired = 0

  constructor(seed: number, gateways = 6, wrong: Readonly<Record<string, Wrong>> = {}) {
    this.street = new Street(seed, gateways)
    for (const [gateway, what] of Object.entries(wrong)) this.street.wrong.set(gateway, what)
  }

  fire(shots: number): this {
    for (let n = 0; n < shots; n++) {
      const shot = this.street.fire(1e6 + 20 * this.fired++)
      if (shot.direct.size < 4) continue
      for (const change of this.book.take(this.street.witness(shot))) this.told.push({ ...change, after: this.fired })
    }
    return this
  }

  get accused(): Set<string> {
    return new Set(this.told.map(({ gateway }) => gateway))
  }
}

test('a clock that is 50 ms off is named within forty shots, by how much, and nobody else is', async t => {
  for (const [seed, gateway, clock] of [
    [11, 'b', 0.05],
    [12, 'e', 0.05],
    [13, 'f', -0.05],
    [14, 'd', -0.05],
  ] as const) {
    const trial = new Trial(seed, 6, { [gateway]: { clock } }).fire(40)
    t.same(trial.accused, new Set([gateway]))
    const { state, fault } = trial.book.standing(gateway)
    t.equal(state, 'distrusted')
    t.equal(fault?.kind, 'clock')
    t.ok(Math.abs(fault!.estimate - clock) < 0.015, `${fault!.estimate}`)
    t.ok(Math.abs(fault!.estimate - clock) < 4 * fault!.error, 'and it knows how exactly')
  }
})

test('a clock that is half a second off is named too', async t => {
  const trial = new Trial(21, 6, { c: { clock: 0.5 } }).fire(40)
  t.same(trial.accused, new Set(['c']))
  const { fault } = trial.book.standing('c')
  t.ok(Math.abs(fault!.estimate - 0.5) < 0.02, `${fault!.estimate}`)
})

test('a gateway that stands 20 m from where it says is named within sixty shots, with the way it is off', async t => {
  for (const [seed, gateway] of [
    [31, 'e'],
    [32, 'b'],
    [33, 'f'],
  ] as const) {
    const trial = new Trial(seed, 6, { [gateway]: { east: 20 } }).fire(60)
    t.same(trial.accused, new Set([gateway]))
    const { fault } = trial.book.standing(gateway)
    t.equal(fault?.kind, 'position')
    t.ok(Math.hypot(fault!.offset.east - 20, fault!.offset.north) < 9, JSON.stringify(fault!.offset))
  }
})

test('while all is right nobody is distrusted, over two hundred shots, by networks of four to eight', async t => {
  for (const [seed, gateways] of [
    [41, 6],
    [42, 6],
    [43, 5],
    [44, 8],
    [45, 4],
  ] as const)
    t.same(new Trial(seed, gateways).fire(200).told, [], `${gateways} gateways`)
})

test('a lone liar never turns the others against one of them, whatever it says', async t => {
  const lies: Readonly<Record<string, NonNullable<Wrong['lie']>>> = {
    'at random': time => time + (((time * 1e4) % 1) - 0.5) * 0.3,
    'by place': (time, { position }) => time + 0.1 * Math.sin(position.east / 100),
    'as if another were late': (time, { position }) => time - 0.06 * Math.tanh(position.north / 100),
    always: time => time + 0.05,
  }
  for (const [name, lie] of Object.entries(lies)) {
    for (const seed of [51, 52]) {
      const { accused } = new Trial(seed, 6, { b: { lie } }).fire(60)
      accused.delete('b')
      t.same(accused, new Set(), name)
    }
  }
})

test('four gateways can suspect one of them but have no majority to distrust it', async t => {
  const trial = new Trial(61, 4, { b: { clock: 0.06 } }).fire(80)
  t.same(trial.told, [])
})

test('shots from one place alone prove nothing: the way to it may be long', async t => {
  const trial = new Trial(71, 6, { b: { clock: 0.05 } })
  for (let n = 0; n < 60; n++)
    trial.told.push(
      ...trial.book
        .take(trial.street.witness(trial.street.fire(1e6 + 20 * n, { east: 20, north: -20, up: 8 })))
        .map(change => ({ ...change, after: n })),
    )
  t.same(trial.told, [])
})

test('a clock that is set right is trusted again, once, and stays so', async t => {
  const trial = new Trial(81, 6, { e: { clock: 0.05 } }).fire(40)
  t.match(trial.told, [{ gateway: 'e', state: 'raised' }])
  trial.street.wrong.clear()
  trial.fire(100)
  t.match(trial.told, [
    { gateway: 'e', state: 'raised' },
    { gateway: 'e', state: 'cleared' },
  ])
  t.equal(trial.told.length, 2)
  t.ok(trial.told[1]!.after <= 40 + 30, `after ${trial.told[1]!.after - 40} good shots`)
  t.equal(trial.book.standing('e').state, 'trusted')
})

test('a clock that goes wrong after a hundred good shots is found as soon as one that always was', async t => {
  const trial = new Trial(91, 6).fire(100)
  t.same(trial.told, [])
  trial.street.wrong.set('c', { clock: 0.05 })
  trial.fire(40)
  t.same(trial.accused, new Set(['c']))
  const { fault } = trial.book.standing('c')
  t.ok(fault!.since > 1e6 + 20 * 85, 'it began about then')
})

test('what a gateway owns up to is no fault, and where it says that it was moved the past is forgotten', async t => {
  const modest = new Trial(95, 6, { e: { clock: 0.05 } })
  modest.street.timeError = 0.05
  t.same(modest.fire(60).told, [], 'a stated error of 50 ms')
  const moved = new Trial(96, 6, { e: { east: 20 } }).fire(10)
  moved.street.wrong.clear()
  moved.book.moved('e')
  t.same(moved.fire(60).told, [])
})

test('the hearing tells a wrong clock once, and the locator gets its arrivals with the error that was found', async t => {
  const street = new Street(101, 6)
  street.wrong.set('b', { clock: 0.05 })
  const { gateways } = street
  const own: GatewayPlace = gateways.get('a')!
  let shot = street.fire(1e6)
  const seen = new Map<string, number>()
  const locate: Locator = ({ arrivals, places }): LocatedShot[] => {
    for (const { gateway, timeError } of arrivals) seen.set(gateway, timeError)
    const { matched } = nearest(shot, arrivals)
    if (matched.length < 4) return []
    const [origin, stated] = [places.get('a')!.position, own.position]
    return [
      {
        time: shot.time,
        timeError: 0.005,
        position: {
          east: shot.position.east - stated.east + origin.east,
          north: shot.position.north - stated.north + origin.north,
          up: 0,
        },
        threeDimensional: false,
        covariance: [
          [25, 0],
          [0, 25],
        ],
        probability: 0.95,
        arrivals: matched.map(({ id }) => ({ id, residual: 0 })),
      },
    ]
  }
  const hearing = new Hearing({
    gateway: 'a',
    epoch: 'e',
    position: plane.toGeodetic(own.position),
    positionError: 1,
    weather,
    locate,
    heartbeat: 10,
    loneSalience: 30,
  })
  const told: DistrustChange[] = []
  for (let n = 0; n < 45; n++) {
    const now = 1e6 + 30 * n
    shot = street.fire(now)
    for (const { gateway, position, positionError } of gateways.values()) {
      const arrivals = shot.arrivals.filter(each => each.gateway === gateway)
      if (gateway === 'a') hearing.hear(arrivals, now + 4, now + 4)
      else
        hearing.receive(
          {
            gateway,
            epoch: 'e',
            position: plane.toGeodetic(position),
            positionError,
            heardUntil: now + 4,
            arrivals,
          },
          now + 4,
        )
    }
    for (const later of [4, 9, 12]) told.push(...hearing.advance(now + later).distrust)
  }
  t.match(told, [{ gateway: 'b', state: 'raised', fault: { kind: 'clock' } }])
  t.equal(told.length, 1)
  t.ok(seen.get('b')! > 0.04, 'the liar counts for little')
  t.equal(seen.get('c'), 0.002, 'the others for what they say')
})

test('in a stream of shots that are really located, a wrong survey and a wrong clock are named, by the offender itself too', async t => {
  for (const [offender, wrong, kind, size] of [
    ['e', { east: 20 }, 'position', 20],
    ['b', { clock: 0.05 }, 'clock', 0.05],
  ] as const) {
    const street = new Street(112, 6)
    street.wrong.set(offender, wrong)
    const observers = new Map([...new Set(['a', offender])].map(gateway => [gateway, located(street, gateway)]))
    const told = new Map([...observers.keys()].map((gateway): [string, DistrustChange[]] => [gateway, []]))
    for (let n = 0; n < 60; n++) {
      const now = 1e6 + 30 * n
      const { arrivals } = street.fire(now)
      for (let after = 1; after <= 12; after++) {
        for (const [observer, hearing] of observers) {
          for (const { gateway, position, positionError } of street.gateways.values()) {
            const heardUntil = now + after
            const heard = arrivals.filter(
              each => each.gateway === gateway && each.time < heardUntil && each.time >= heardUntil - 1,
            )
            if (gateway === observer) hearing.hear(heard, heardUntil, heardUntil)
            else {
              const report = { gateway, epoch: 'e', position: plane.toGeodetic(position), positionError, heardUntil }
              hearing.receive({ ...report, arrivals: heard }, heardUntil)
            }
          }
          told.get(observer)?.push(...hearing.advance(now + after).distrust)
        }
      }
    }
    for (const [observer, changes] of told) {
      t.match(changes, [{ gateway: offender, state: 'raised', fault: { kind } }], `${observer} of ${offender}`)
      t.equal(changes.length, 1)
      const { fault } = observers.get(observer)!.standing(offender)
      t.ok(Math.abs(fault!.estimate - size) < 0.4 * size, `${fault!.estimate}`)
    }
  }
})

function located(street: Street, gateway: string): Hearing {
  const { position, positionError } = street.gateways.get(gateway)!
  return new Hearing({
    gateway,
    epoch: 'e',
    position: plane.toGeodetic(position),
    positionError,
    weather,
    locate: locateShots,
    heartbeat: 10,
    loneSalience: 30,
  })
}

/** What a locator would take: the direct sounds, as it has them. */
function nearest({ direct }: { direct: ReadonlyMap<string, Arrival> }, arrivals: readonly Arrival[]) {
  const ids = new Set([...direct.values()].map(({ id }) => id))
  return { matched: arrivals.filter(({ id }) => ids.has(id)) }
}
