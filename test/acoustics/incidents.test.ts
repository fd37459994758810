import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'tap'
import type { Arrival, LocatedShot } from '../../gateway/acoustics/arrival.js'
import { ellipse95 } from '../../gateway/acoustics/ellipse.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import { Hearing, type Locator, type NeighbourReport } from '../../gateway/acoustics/hearing.js'
import type { Claim, GunfireRevision } from '../../gateway/acoustics/incident.js'
import { gunfireDraft } from '../../gateway/commands/hearing-messages.js'
import { sealEvent } from '../../gateway/messages/seal.js'

const origin = { latitude: 40.44, longitude: -79.99, altitude: 230 }
const stillAir = { temperature: 0, humidity: null, windSpeed: null, windFrom: null }

function arrival(gateway: string, number: number, time: number, parts: Partial<Arrival> = {}): Arrival {
  return {
    id: `${gateway}/e/${number}`,
    gateway,
    time,
    timeError: 0.005,
    salience: 20,
    soundLevel: 80,
    bearing: null,
    gunProbability: 0.95,
    ...parts,
  }
}

/** Stands in for the locator: arrivals of one number belong to one shot, where the first of all gateways stands. */
const byNumber: Locator = ({ arrivals, places }) => {
  const [first] = [...places.keys()].sort()
  const position = places.get(first ?? '')?.position ?? { east: 0, north: 0, up: 0 }
  const groups = new Map<string, Arrival[]>()
  for (const each of arrivals) {
    const number = each.id.split('/')[2] ?? ''
    groups.set(number, [...(groups.get(number) ?? []), each])
  }
  return [...groups.values()]
    .filter(group => group.length >= 3)
    .map(
      (group): LocatedShot => ({
        time: Math.min(...group.map(({ time }) => time)) - 0.1,
        timeError: 0.004,
        position,
        threeDimensional: false,
        covariance: [
          [9, 0],
          [0, 4],
        ],
        probability: 0.9,
        arrivals: group.map(({ id }) => ({ id, residual: 0 })),
      }),
    )
}

/** A network of gateways that hear each other after a delay, on one virtual clock. */
class Network {
  readonly revisions: { from: string; at: number; revision: GunfireRevision; claim: Claim }[] = []
  readonly dead = new Set<string>()
  /** Every claim that each gateway made or was told. */
  readonly claims = new Map<string, Claim[]>()
  readonly #hearings = new Map<string, Hearing>()
  readonly #post: { at: number; to: string; report?: NeighbourReport; claim?: Claim }[] = []
  readonly #delay: (step: number) => number
  readonly #copies: number
  #step = 0
  now = 1000
  locate: Locator = byNumber

  /** @param copies how often each message comes */
  constructor(gateways: readonly string[], delay: (step: number) => number = () => 0.05, copies = 1) {
    this.#delay = delay
    this.#copies = copies
    for (const gateway of gateways) this.#start(gateway, 'e')
  }

  restart(gateway: string): void {
    this.#start(gateway, 'f')
  }

  #start(gateway: string, epoch: string): void {
    this.#hearings.set(
      gateway,
      new Hearing({
        gateway,
        epoch,
        position: { ...origin, latitude: origin.latitude + gateway.charCodeAt(0) * 1e-4 },
        positionError: 1,
        weather: stillAir,
        locate: scene => this.locate(scene),
        heartbeat: 10,
        loneSalience: 15,
      }),
    )
  }

  #note(gateway: string, claim: Claim): void {
    this.claims.set(gateway, [...(this.claims.get(gateway) ?? []), claim])
  }

  /** A claim reaches every gateway but its reporter, who tells the hub nothing. */
  say(claim: Claim): void {
    for (const to of this.#hearings.keys()) if (to !== claim.reporter) this.#post.push({ at: this.now, to, claim })
  }

  hear(gateway: string, number: number, time: number, parts: Partial<Arrival> = {}): void {
    this.#hearings.get(gateway)?.hear([arrival(gateway, number, time, parts)], time, this.now)
  }

  /** The last revision of each incident that was not withdrawn. */
  get standing(): GunfireRevision[] {
    const last = new Map<string, GunfireRevision>()
    for (const { revision } of this.revisions) {
      const known = last.get(revision.incident)
      if (known === undefined || revision.revision >= known.revision) last.set(revision.incident, revision)
    }
    return [...last.values()].filter(({ state }) => state !== 'withdrawn')
  }

  run(until: number): this {
    for (; this.now < until; this.now += 0.1) {
      for (const post of this.#post.filter(({ at }) => at <= this.now)) {
        this.#post.splice(this.#post.indexOf(post), 1)
        const hearing = this.#hearings.get(post.to)
        if (post.report) hearing?.receive(post.report, this.now)
        if (post.claim) hearing?.receiveClaim(post.claim, this.now)
        if (post.claim) this.#note(post.to, post.claim)
      }
      for (const [gateway, hearing] of this.#hearings) {
        if (this.dead.has(gateway)) continue
        hearing.hear([], this.now, this.now)
        const { report, due } = hearing.advance(this.now)
        for (const { revision, claim } of due) this.revisions.push({ from: gateway, at: this.now, revision, claim })
        for (const { claim } of due) this.#note(gateway, claim)
        for (const to of this.#hearings.keys()) {
          if (to === gateway) continue
          for (let copy = 0; copy < this.#copies; copy++) {
            if (report) this.#post.push({ at: this.now + this.#delay(this.#step++), to, report })
            for (const { claim } of due) this.#post.push({ at: this.now + this.#delay(this.#step++), to, claim })
          }
        }
      }
    }
    return this
  }
}

test('the gateway with the earliest arrival alone reports, from provisional to final', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const [index, gateway] of ['b', 'a', 'c', 'd'].entries()) network.hear(gateway, 1, 1001 + 0.1 * index)
  network.run(1020)
  t.same(new Set(network.revisions.map(({ from }) => from)), new Set(['b']))
  const states = network.revisions.map(({ revision }) => revision.state)
  t.equal(states[0], 'provisional')
  t.equal(states.at(-1), 'final')
  t.same(
    network.revisions.map(({ revision }) => revision.revision),
    states.map((_, index) => index + 1),
  )
  t.same(new Set(network.revisions.map(({ revision }) => revision.incident)), new Set(['b-e-1']))
  t.ok(network.revisions[0]!.at < 1001.3 + 2, 'within two seconds of the last needed arrival')
})

test('a later shot of the burst is a revision of the same incident', async t => {
  const network = new Network(['a', 'b', 'c']).run(1001)
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1001)
  network.run(1003)
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 2, 1003)
  network.run(1020)
  t.equal(new Set(network.revisions.map(({ revision }) => revision.incident)).size, 1)
  t.equal(network.revisions.at(-1)!.revision.shots.length, 2)
})

test('when the first gateway dies before it claims, the next earliest reports', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const [index, gateway] of ['a', 'b', 'c', 'd'].entries()) network.hear(gateway, 1, 1001 + 0.1 * index)
  network.run(1001.15)
  network.dead.add('a')
  network.run(1030)
  t.ok(network.revisions.some(({ from }) => from !== 'a'))
  t.same(new Set(network.revisions.filter(({ from }) => from !== 'a').map(({ from }) => from)), new Set(['b']))
  t.equal(network.revisions.at(-1)!.revision.state, 'final')
})

test('when the reporter dies after its first revision, another one brings the incident to its end', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const gateway of ['a', 'b', 'c', 'd']) network.hear(gateway, 1, 1001)
  while (network.revisions.length === 0) network.run(network.now + 0.1)
  network.run(network.now + 0.3)
  network.dead.add('a')
  network.run(1060)
  const last = network.revisions.at(-1)!
  t.not(last.from, 'a')
  t.equal(last.revision.state, 'final')
  t.equal(last.revision.incident, network.revisions[0]!.revision.incident)
  t.ok(last.revision.revision > network.revisions[0]!.revision.revision)
})

test('a reporter that is started again at once and remembers nothing is replaced too', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const gateway of ['a', 'b', 'c', 'd']) network.hear(gateway, 1, 1001)
  while (network.revisions.length === 0) network.run(network.now + 0.1)
  network.run(network.now + 0.3)
  network.restart('a')
  network.run(1060)
  const last = network.revisions.at(-1)!
  t.not(last.from, 'a')
  t.equal(last.revision.state, 'final')
  t.equal(last.revision.incident, network.revisions[0]!.revision.incident)
})

test('two halves of a network that meet late keep the smaller incident and withdraw the other', async t => {
  const network = new Network(['a', 'b', 'c', 'd', 'e', 'f'], () => 0.05)
  network.run(1001)
  for (const gateway of ['d', 'e', 'f']) network.hear(gateway, 1, 1001)
  network.run(1002.5)
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1000.9)
  network.run(1030)
  const live = new Map(network.revisions.map(({ revision }) => [revision.incident, revision.state]))
  t.equal([...live.values()].filter(state => state !== 'withdrawn').length, 1)
})

/** The last word on each incident, whatever the order in which claims came: by revision, then by reporter. */
function lastWords(claims: readonly Claim[]): Record<string, string> {
  const sorted = [...claims].sort((a, b) => a.revision - b.revision || (a.reporter < b.reporter ? -1 : 1))
  const words = sorted.map(({ incident, revision, reporter, state }): [string, string] => [
    incident,
    `${revision} ${reporter} ${state}`,
  ])
  return Object.fromEntries(words.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
}

const delivery = fc.record({
  delays: fc.array(fc.double({ min: 0, max: 3, noNaN: true }), { minLength: 5, maxLength: 30 }),
  copies: fc.integer({ min: 1, max: 2 }),
  order: fc.shuffledSubarray(['a', 'b', 'c', 'd', 'e'], { minLength: 2 }),
  spacing: fc.double({ min: 0, max: 0.3, noNaN: true }),
  shots: fc.integer({ min: 1, max: 3 }),
  pause: fc.double({ min: 0.4, max: 3, noNaN: true }),
})
type Delivery = typeof delivery extends fc.Arbitrary<infer Value> ? Value : never

/** A burst in a network of five whose messages come late, doubled and out of order. */
function burst(
  { delays, copies, order, spacing, shots, pause }: Delivery,
  during: (network: Network) => void = () => {},
) {
  const network = new Network(['a', 'b', 'c', 'd', 'e'], step => delays[step % delays.length] ?? 0, copies).run(1001)
  for (let shot = 1; shot <= shots; shot++) {
    order.forEach((gateway, place) => {
      network.hear(gateway, shot, network.now + spacing * place)
    })
    network.run(network.now + pause)
    during(network)
  }
  return network.run(1110)
}

/** One final incident, and all that live know of it what the hub knows. */
function endsAsOne(network: Network): void {
  assert.equal(network.standing.length, 1)
  assert.equal(network.standing[0]?.state, 'final')
  const hub = lastWords(network.revisions.map(({ claim }) => claim))
  for (const [gateway, claims] of network.claims)
    if (!network.dead.has(gateway)) assert.deepEqual(lastWords(claims), hub, gateway)
}

test('messages that come late, doubled and out of order leave every observer with the same final incident', async t => {
  fc.assert(
    fc.property(delivery, given => {
      const network = burst(given)
      endsAsOne(network)
      const located = given.order.length >= 3
      assert.equal(network.standing[0]?.quality, located ? 'located' : 'heard')
      if (located) assert.equal(network.standing[0]?.shots.length, given.shots)
    }),
    { numRuns: 60 },
  )
  t.pass('for sixty ways of delivery')
})

test('so they do when a gateway dies in the middle, the reporter or another', async t => {
  const dying = fc.record({ who: fc.nat({ max: 4 }), when: fc.double({ min: 0, max: 4, noNaN: true }) })
  fc.assert(
    fc.property(delivery, dying, (given, { who, when }) => {
      const gateway = given.order[who % given.order.length] ?? 'a'
      let dead = false
      const network = burst(given, each => {
        if (dead || each.now < 1001 + when) return
        each.dead.add(gateway)
        dead = true
      })
      // Without one of its gateways a shot may be located no more; there is one incident nevertheless.
      endsAsOne(network)
    }),
    { numRuns: 60 },
  )
  t.pass('for sixty ways of delivery')
})

test('a burst that goes on is told of when its first shot is settled, not when it ends', async t => {
  const network = new Network(['a', 'b', 'c']).run(1001)
  for (let shot = 0; shot < 10; shot++) {
    for (const gateway of ['a', 'b', 'c']) network.hear(gateway, shot + 1, 1001 + shot)
    network.run(1002 + shot)
  }
  network.run(1030)
  t.ok(network.revisions[0]!.at < 1001 + 2)
  t.equal(network.standing.length, 1)
  t.equal(network.standing[0]!.shots.length, 10)
})

test('an exchange of fire is one incident, and shots one after the other at two places are two', async t => {
  for (const [order, incidents] of [
    [[1, 2, 3, 4], 1],
    [[1, 3, 2, 4], 2],
  ] as const) {
    const network = new Network(['a', 'b', 'c', 'd'])
    // Even numbers are fired 400 m further east.
    network.locate = scene =>
      byNumber(scene).map(shot => {
        const even = Number(shot.arrivals[0]?.id.at(-1)) % 2 === 0
        return { ...shot, position: { ...shot.position, east: shot.position.east + (even ? 400 : 0) } }
      })
    network.run(1001)
    for (const number of order) {
      for (const [place, gateway] of ['a', 'b', 'c', 'd'].entries())
        network.hear(gateway, number, network.now + 0.05 * place)
      network.run(network.now + 0.8)
    }
    network.run(1040)
    t.equal(network.standing.length, incidents)
    t.ok(network.standing.every(({ state }) => state === 'final'))
    t.equal(network.standing.flatMap(({ shots }) => shots).length, 4)
    t.same(new Set(network.revisions.map(({ from }) => from)), new Set(['a']))
    const withdrawn = network.revisions.filter(({ revision }) => revision.state === 'withdrawn')
    for (const { revision } of withdrawn) t.equal(revision.mergedInto, network.standing[0]?.incident)
  }
})

test('a shot that borrows an arrival of a final incident is told as one of its own', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const gateway of ['a', 'b', 'c', 'd']) network.hear(gateway, 1, 1001)
  network.run(1011)
  t.match(network.standing, [{ state: 'final' }])
  network.locate = scene => {
    const [first, second] = byNumber(scene)
    const borrowed = { id: 'd/e/1', residual: 0 }
    return first && second ? [first, { ...second, arrivals: [...second.arrivals, borrowed] }] : []
  }
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 2, 1011)
  network.run(1040)
  t.match(network.standing, [
    { incident: 'a-e-1', state: 'final' },
    { state: 'final', shots: [{ time: 1010.9 }] },
  ])
})

test('nobody waits for a far gateway that does not tell: a shot is told within two seconds of its last arrival', async t => {
  const network = new Network(['a', 'b', 'c', 'z']).run(1001)
  // 900 m further west than where it is fired, so that "z" could hear it three seconds later.
  network.locate = scene =>
    byNumber(scene).map(shot => ({ ...shot, position: { ...shot.position, east: shot.position.east - 900 } }))
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1001)
  network.run(1020)
  t.ok(network.revisions[0]!.at < 1001 + 2, `${network.revisions[0]!.at}`)
})

test('a gun that only two of a network hear is one "heard" of the first of them, without a position', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  network.hear('c', 1, 1001)
  network.hear('b', 1, 1001.05)
  network.run(1020)
  t.same(new Set(network.revisions.map(({ from }) => from)), new Set(['c']))
  t.equal(network.standing.length, 1)
  t.match(network.standing[0], { incident: 'c-e-1', quality: 'heard', state: 'final' })
  t.equal(network.standing[0]!.shots.length, 1)
  t.equal(network.standing[0]!.shots[0]!.position, null)
  t.ok(network.revisions[0]!.at < 1001.05 + 2, 'within two seconds of the last arrival')
  const doubtful = new Network(['a', 'b', 'c', 'd']).run(1001)
  doubtful.hear('c', 1, 1001, { gunProbability: 0.8 })
  doubtful.hear('b', 1, 1001.05, { salience: 10 })
  t.same(doubtful.run(1020).revisions, [], 'where neither convinces nothing is said')
})

test('where an array gives a direction the answer is a bearing, and the arrival it is from comes first', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  network.hear('c', 1, 1001)
  network.hear('b', 1, 1001.05, { bearing: { azimuth: 120, elevation: null, error: 2 } })
  const [incident] = network.run(1020).standing
  t.equal(incident?.quality, 'bearing')
  t.match(incident?.shots, [
    { position: null, bearing: { azimuth: 120 }, arrivals: [{ gateway: 'b' }, { gateway: 'c' }] },
  ])
})

test('clocks decide what is said: located up to 0.1 s of error, heard beyond', async t => {
  for (const [timeError, quality] of [
    [0.09, 'located'],
    [0.2, 'heard'],
    [86_400, 'heard'],
  ] as const) {
    const network = new Network(['a', 'b', 'c', 'd']).run(1001)
    for (const [index, gateway] of ['b', 'a', 'c', 'd'].entries())
      network.hear(gateway, 1, 1001 + 0.02 * index, index < 2 ? { timeError } : {})
    network.run(1030)
    t.match(network.standing, [{ quality, state: 'final' }], `${timeError} s`)
    t.equal(network.standing.length, 1)
    t.equal(
      network.standing[0]!.shots.some(({ position }) => position !== null),
      quality === 'located',
    )
  }
})

test('a network that cannot agree on a place says "heard" once', async t => {
  const network = new Network(['a', 'b', 'c', 'd'])
  network.locate = () => []
  network.run(1001)
  for (const [index, gateway] of ['b', 'a', 'c', 'd'].entries()) network.hear(gateway, 1, 1001 + 0.05 * index)
  network.run(1030)
  t.match(network.standing, [{ quality: 'heard', state: 'final', shots: [{ position: null }] }])
  t.equal(network.standing.length, 1)
  t.same(new Set(network.revisions.map(({ from }) => from)), new Set(['b']))
})

test('a place that was told does not stand beside a better one of the same arrivals', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  network.locate = scene => {
    const better = scene.arrivals.some(({ gateway }) => gateway === 'd')
    return byNumber({ ...scene, arrivals: scene.arrivals.filter(({ gateway }) => !better || gateway !== 'c') })
  }
  for (const [gateway, time] of [
    ['a', 1001],
    ['b', 1001.05],
    ['c', 1002.6],
  ] as const)
    network.hear(gateway, 1, time, { gunProbability: 0.99 })
  network.run(1005)
  t.match(network.standing, [{ quality: 'located', shots: { length: 1 } }])
  network.hear('d', 1, 1001.1)
  network.run(1030)
  const shots = network.standing.flatMap(({ shots }) => shots)
  t.equal(shots.filter(({ position }) => position !== null).length, 1)
  t.ok(shots.some(({ position, arrivals }) => position !== null && arrivals.some(({ gateway }) => gateway === 'd')))
})

test('an incident rises from heard to located under its own name, and does not fall back', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  network.hear('b', 1, 1001)
  network.hear('a', 1, 1001.05)
  network.run(1003.5)
  t.match(network.standing, [{ incident: 'b-e-1', quality: 'heard' }])
  network.hear('c', 1, 1001.1)
  network.run(1005.5)
  t.match(network.standing, [{ incident: 'b-e-1', quality: 'located', state: 'updated' }])
  network.locate = () => []
  network.run(1030)
  t.match(network.standing, [{ incident: 'b-e-1', quality: 'located', state: 'final' }])
  const qualities = network.revisions.map(({ revision }) => revision.quality)
  t.ok(qualities.lastIndexOf('heard') < qualities.indexOf('located'), qualities.join(' '))
  t.same(new Set(network.revisions.map(({ from }) => from)), new Set(['b']))
})

test('what a located shot leaves over at its gateways is its echo and raises nothing', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1001)
  network.hear('d', 7, 1001.4)
  network.hear('a', 8, 1001.3)
  network.run(1020)
  t.match(network.standing, [{ quality: 'located' }])
  t.equal(network.standing.length, 1)
  t.equal(network.standing[0]!.shots.length, 1)
})

test('when the reporter of a "heard" dies, another one brings it to its end', async t => {
  const network = new Network(['a', 'b', 'c', 'd']).run(1001)
  network.hear('c', 1, 1001)
  network.hear('b', 1, 1001.05)
  while (network.revisions.length === 0) network.run(network.now + 0.1)
  network.run(network.now + 0.3)
  network.dead.add('c')
  network.run(1060)
  t.match(network.standing, [{ incident: 'c-e-1', quality: 'heard', state: 'final' }])
  t.equal(network.revisions.at(-1)!.from, 'b')
})

test('a gateway without neighbours says "heard" and never a position', async t => {
  const network = new Network(['a']).run(1001)
  network.hear('a', 1, 1001)
  network.run(1020)
  t.ok(network.revisions.length > 0)
  for (const { revision } of network.revisions) {
    t.equal(revision.quality, 'heard')
    t.ok(revision.shots.every(({ position }) => position === null))
  }
})

test('a din without a pause is told in pieces, each shot once, and no claim or alert outgrows its message', async t => {
  for (const gateways of [['a'], ['a', 'b', 'c']]) {
    const network = new Network(gateways).run(1001)
    const shots = gateways.length === 1 ? 450 : 160
    for (let number = 1; number <= shots; number++) {
      for (const gateway of gateways) network.hear(gateway, number, network.now)
      network.run(network.now + 1)
    }
    network.run(network.now + 40)
    const { standing } = network
    t.ok(standing.length > 1)
    t.ok(standing.every(({ state }) => state === 'final'))
    const told = standing.flatMap(each => each.shots.map(({ arrivals }) => arrivals[0]?.id.split('/')[2]))
    t.equal(told.length, shots)
    t.equal(new Set(told).size, shots)
    t.ok(Math.max(...standing.map(each => each.shots.length)) <= 320)
    t.ok(network.revisions.every(({ claim }) => claim.arrivals.length <= 1000))
    for (const revision of standing) {
      const draft = gunfireDraft(revision, { now: network.now, exercise: true, policy: 'a'.repeat(64) })
      sealEvent(draft, { source: '/harbour/a/sensing/gunfire', epoch: 'abcdef0123456789', sequence: 1 }, null)
    }
  }
})

test('a tangent plane and back is the same place to a tenth of a millimetre', async t => {
  fc.assert(
    fc.property(
      fc.double({ min: -80, max: 80, noNaN: true }),
      fc.double({ min: -179, max: 179, noNaN: true }),
      fc.double({ min: -3000, max: 3000, noNaN: true }),
      fc.double({ min: -3000, max: 3000, noNaN: true }),
      (latitude, longitude, east, north) => {
        const plane = new TangentPlane({ latitude, longitude, altitude: 100 })
        const back = plane.toLocal(plane.toGeodetic({ east, north, up: 20 }))
        return Math.hypot(back.east - east, back.north - north, back.up - 20) < 1e-4
      },
    ),
  )
  const plane = new TangentPlane({ latitude: 0, longitude: 0, altitude: 0 })
  const degreeEast = plane.toLocal({ latitude: 0, longitude: 0.001, altitude: 0 }).east
  t.ok(Math.abs(degreeEast - 111.3195) < 1e-3, 'a thousandth of a degree on the equator')
})

test('an ellipse has the axes and the orientation of its covariance', async t => {
  const { semiMajor, semiMinor, orientation } = ellipse95([
    [1, 0],
    [0, 16],
  ])
  t.ok(Math.abs(semiMajor - 4 * 2.4477) < 1e-3)
  t.ok(Math.abs(semiMinor - 2.4477) < 1e-3)
  t.ok(Math.min(orientation, 180 - orientation) < 1e-9, 'north and south')
  t.ok(
    Math.abs(
      ellipse95([
        [5, 4],
        [4, 5],
      ]).orientation - 45,
    ) < 1e-9,
    'north-east',
  )
})

test('what half of the arrivals of a second round makes a solution lose for a moment is not withdrawn', async t => {
  const network = new Network(['a', 'b', 'c']).run(1001)
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1001)
  while (network.revisions.length === 0) network.run(network.now + 0.1)
  network.hear('a', 2, network.now)
  network.locate = () => []
  network.run(network.now + 2)
  network.locate = byNumber
  for (const gateway of ['b', 'c']) network.hear(gateway, 2, network.now)
  network.run(1020)
  t.notOk(network.revisions.some(({ revision }) => revision.state === 'withdrawn'))
  t.match(network.standing, [{ incident: 'a-e-1', state: 'final' }])
  t.equal(network.standing[0]!.shots.length, 2)
})

test('a shot that the next arrivals refute is withdrawn, and its last claim still names a real arrival', async t => {
  const network = new Network(['a', 'b', 'c']).run(1001)
  for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1001, { gunProbability: null })
  while (network.revisions.length === 0) network.run(network.now + 0.1)
  network.locate = () => []
  network.run(1015)
  const { revision, claim } = network.revisions.at(-1)!
  t.equal(revision.state, 'withdrawn')
  t.same(revision.shots, [])
  t.equal(claim.earliest.id, 'a/e/1')
  t.equal(network.standing.length, 0)
})

test('a withdrawn shot that comes back is a further revision of its incident, and one that was never told is told then', async t => {
  for (const [told, back] of [
    [true, 1006],
    [false, 1003],
  ] as const) {
    const network = new Network(['a', 'b', 'c']).run(1001)
    if (!told) network.locate = scene => (network.now < 1001.3 ? byNumber(scene) : [])
    for (const gateway of ['a', 'b', 'c']) network.hear(gateway, 1, 1001, { gunProbability: null })
    if (told) while (network.revisions.length === 0) network.run(network.now + 0.1)
    else network.run(1001.4)
    network.locate = () => []
    network.run(back)
    network.locate = byNumber
    network.run(1015)
    const states = network.revisions.map(({ revision }) => revision.state)
    t.same(states, told ? ['provisional', 'withdrawn', 'updated', 'final'] : ['provisional', 'final'])
    t.equal(new Set(network.revisions.map(({ revision }) => revision.incident)).size, 1)
    t.same(
      network.revisions.map(({ revision }) => revision.revision),
      states.map((_, index) => index + 1),
    )
    t.equal(network.standing[0]?.shots.length, 1)
  }
})

/** A claim on others' arrivals that would win against any honest one. */
function lie(network: Network, reporter: string, heard: readonly string[], parts: Partial<Claim> = {}): Claim {
  const arrivals = heard.map(gateway => `${gateway}/e/1`)
  return {
    incident: '0-lie',
    reporter,
    revision: 1,
    state: 'final',
    quality: 'located',
    time: network.now,
    earliest: { id: arrivals[0] ?? '', time: network.now },
    arrivals,
    ...parts,
  }
}

test('a claim of a gateway that heard nothing holds nobody up', async t => {
  for (const state of ['provisional', 'updated', 'final', 'withdrawn'] as const) {
    const network = new Network(['a', 'b', 'c', 'liar']).run(1001)
    for (const [place, gateway] of ['a', 'b', 'c'].entries()) network.hear(gateway, 1, 1001 + 0.1 * place)
    for (let second = 1001; second < 1030; second += 0.5) {
      network.run(second)
      network.say(lie(network, 'liar', ['a', 'b', 'c'], { state }))
      network.say(lie(network, 'liar', ['a', 'b', 'c', 'liar'], { state, incident: '0-other' }))
    }
    t.same(
      network.standing.map(({ incident, state: last, quality }) => ({ incident, state: last, quality })),
      [{ incident: 'a-e-1', state: 'final', quality: 'located' }],
    )
    t.ok(network.revisions[0]!.at < 1001.2 + 2, 'and not later than without it')
  }
})

test('one that did hear it delays the report of who heard it before by seconds, and does not prevent it', async t => {
  for (const state of ['provisional', 'updated', 'final', 'withdrawn'] as const) {
    const network = new Network(['a', 'b', 'c', 'liar']).run(1001)
    for (const [place, gateway] of ['a', 'b', 'c', 'liar'].entries()) network.hear(gateway, 1, 1001 + 0.1 * place)
    network.dead.add('liar')
    network.say(lie(network, 'liar', ['a', 'b', 'c', 'liar'], { state }))
    network.run(1040)
    t.equal(network.standing.length, 1, state)
    t.match(network.standing[0], { state: 'final', quality: 'located', shots: { length: 1 } }, state)
    t.ok(network.revisions.every(({ at }) => at < 1001 + 15))
  }
})

test('a claim that uses the numbers of revisions up is not believed', async t => {
  const network = new Network(['a', 'b', 'c', 'liar']).run(1001)
  for (const gateway of ['a', 'b', 'c', 'liar']) network.hear(gateway, 1, 1001)
  const revision = Number.MAX_SAFE_INTEGER
  network.say(lie(network, 'liar', ['a', 'b', 'c', 'liar'], { incident: 'a-e-1', state: 'updated', revision }))
  network.run(1020)
  t.match(network.standing, [{ incident: 'a-e-1', state: 'final' }])
  t.ok(network.standing[0]!.revision < 10)
})

test('a neighbour that lies makes no alert of harmless sounds that two others heard, however well it makes its time fit', async t => {
  const harmless = { gunProbability: 0.4 }
  const shout = { gunProbability: 1, salience: 90 }
  for (const honest of [
    ['a', 'b'],
    ['a', 'b', 'c'],
  ]) {
    const network = new Network([...honest, 'liar']).run(1001)
    for (const [place, gateway] of honest.entries()) network.hear(gateway, 1, 1001 + 0.1 * place, harmless)
    network.hear('liar', 1, 1001.15, shout)
    // Without the fourth the locator finds no place for the other three.
    network.locate = scene => byNumber(scene).filter(({ arrivals }) => honest.length < 3 || arrivals.length > 3)
    network.run(1040)
    t.same(
      new Set(network.revisions.map(({ from }) => from)),
      new Set(['liar']),
      `${honest.length} others: the hub hears of it from the liar alone`,
    )
  }
})

test('what three agree on without it stands, and so does what one of them heard plainly', async t => {
  const faint = { gunProbability: 0.4 }
  const agreed = new Network(['a', 'b', 'c', 'd']).run(1001)
  for (const [place, gateway] of ['a', 'b', 'c', 'd'].entries()) agreed.hear(gateway, 1, 1001 + 0.1 * place, faint)
  agreed.run(1020)
  t.match(agreed.standing, [{ incident: 'a-e-1', quality: 'located', shots: [{ corroborated: true }] }])
  const plain = new Network(['a', 'b', 'c']).run(1001)
  for (const [place, gateway] of ['a', 'b', 'c'].entries())
    plain.hear(gateway, 1, 1001 + 0.1 * place, gateway === 'b' ? {} : faint)
  plain.run(1020)
  t.same(new Set(plain.revisions.map(({ from }) => from)), new Set(['b']), 'told by the one that did, at once')
  t.ok(plain.revisions[0]!.at < 1001.2 + 2)
  t.match(plain.standing, [{ quality: 'located', shots: [{ corroborated: false }] }])
})

test('nor does it by claiming the sounds and falling silent, or by another round from their place', async t => {
  const harmless = { gunProbability: 0.4 }
  const network = new Network(['a', 'b', 'liar']).run(1001)
  network.hear('a', 1, 1001, harmless)
  network.hear('b', 1, 1001.1, harmless)
  network.hear('liar', 1, 1001.15, { gunProbability: 1, salience: 90 })
  network.hear('liar', 2, 1001.6, { gunProbability: 1, salience: 90 })
  // The second is located with the first's place, by the liar's arrival and two of the others'.
  network.hear('a', 2, 1001.5, harmless)
  network.hear('b', 2, 1001.55, harmless)
  network.run(1002)
  network.say(lie(network, 'liar', ['a', 'b', 'liar'], { state: 'provisional' }))
  network.dead.add('liar')
  network.run(1060)
  t.same(
    network.revisions.filter(({ from }) => from !== 'liar'),
    [],
    'nobody takes it over',
  )
})
