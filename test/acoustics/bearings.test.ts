import { test } from 'tap'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { type BearingSighting, bearingTerm, crossBearings } from '../../gateway/acoustics/bearing-fit.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import { airOf } from '../../gateway/acoustics/propagation.js'
import { placesOfThree } from '../../gateway/acoustics/seeds.js'
import { type TrialSettings, trials } from '../../scripts/simulator/arrivals.js'
import { Random } from '../../scripts/simulator/random.js'

const radians = Math.PI / 180
const weather = { temperature: 15, humidity: null, windSpeed: null, windFrom: null }
const still = airOf(weather)
const place = (east: number, north: number) => ({ east, north, up: 0 })

/** Degrees from one place to another. */
function azimuth(from: { east: number; north: number }, to: { east: number; north: number }): number {
  return (Math.atan2(to.east - from.east, to.north - from.north) / radians + 360) % 360
}

function sighting(east: number, north: number, seen: number, error = 1): BearingSighting {
  return {
    position: place(east, north),
    positionError: 1,
    bearing: { azimuth: (seen + 360) % 360, elevation: null, error },
  }
}

test('bearings crossed from two gateways and more find the place and say how well', t => {
  const random = new Random(4)
  const gateways = [place(-200, 0), place(220, -40), place(30, 250), place(-90, -210)]
  for (const count of [2, 3, 4]) {
    let [inside, tried] = [0, 0]
    for (let trial = 0; trial < 400; trial++) {
      const source = place(random.between(-250, 250), random.between(-200, 200))
      // An azimuth is as far off as the array says and as site and surveying add.
      const sightings = gateways.slice(0, count).map(gateway => {
        const error = random.between(0.5, 4)
        const seen = azimuth(gateway, source) + random.normal(0, Math.hypot(error, 2))
        return { ...sighting(gateway.east, gateway.north, seen, error), positionError: 0 }
      })
      const found = crossBearings(sightings, still)
      if (found === null) continue
      tried++
      const [e, n] = [source.east - found.east, source.north - found.north]
      const [[ee, en], [, nn]] = found.covariance
      const square = (nn * e * e - 2 * en * e * n + ee * n * n) / (ee * nn - en * en)
      if (square < 5.99) inside++
    }
    t.ok(tried > 330, `${count} gateways: ${tried} of 400 give a place`)
    t.ok(inside / tried > 0.9 && inside / tried < 0.99, `${count} gateways: ${inside} of ${tried} inside 95 %`)
  }
  t.end()
})

test('bearings that do not cross ahead, or cross too flat, give no place', t => {
  t.equal(crossBearings([sighting(0, 0, 90)], still), null, 'one alone')
  t.equal(crossBearings([sighting(0, 0, 0), sighting(50, 0, 0)], still), null, 'side by side')
  t.equal(crossBearings([sighting(0, 0, 0), sighting(50, 0, 3)], still), null, 'nearly so')
  t.equal(crossBearings([sighting(0, 0, 225), sighting(200, 0, 135)], still), null, 'behind both')
  t.equal(
    crossBearings([sighting(0, 0, 45), sighting(200, 0, 315), sighting(0, 200, 20)], still),
    null,
    'one elsewhere',
  )
  const found = crossBearings([sighting(0, 0, 45), sighting(200, 0, 315)], still)
  t.ok(found && Math.hypot(found.east - 100, found.north - 100) < 0.5)
  t.end()
})

test('the gradient of a bearing is that of the azimuth it predicts, and wind moves the sound to the lee', t => {
  const breeze = airOf({ temperature: 15, humidity: null, windSpeed: 8, windFrom: 270 })
  const sightings = [sighting(0, 0, 20, 2), sighting(-120, 40, 95, 3)]
  const [east, north] = [70, 160]
  const at = (x: number, y: number) => bearingTerm(place(x, y), sightings, still)
  at(east, north).rows.forEach(({ gradient }, i) => {
    const step = 0.01
    const numeric = [
      (at(east - step, north).rows[i]!.residual - at(east + step, north).rows[i]!.residual) / (2 * step),
      (at(east, north - step).rows[i]!.residual - at(east, north + step).rows[i]!.residual) / (2 * step),
    ]
    t.ok(Math.abs(numeric[0]! - gradient[0]) < 1e-6 && Math.abs(numeric[1]! - gradient[1]) < 1e-6)
  })
  // The source lies north; a west wind of 8 m/s carries the front east by 8 / 340 of its way.
  const wind = bearingTerm(place(0, 500), [sighting(0, 0, 0)], breeze).rows[0]!
  t.ok(Math.abs(wind.residual / radians + Math.atan(8 / 340.3) / radians) < 0.02, `${wind.residual / radians}°`)
  t.end()
})

test('a bearing speaks for places along it, and one from elsewhere costs no more than an echo', t => {
  const source = place(0, 300)
  const term = (seen: number) => bearingTerm(source, [sighting(0, 0, seen, 1)], still)
  t.ok(term(0).logLikelihood > 3.5, `${term(0).logLikelihood}`)
  t.ok(term(4).logLikelihood < term(0).logLikelihood)
  t.ok(Math.abs(term(180).logLikelihood - Math.log(0.15)) < 1e-6)
  t.ok(term(0).rows[0]!.weight > 0.9 / (5 * radians ** 2) && term(180).rows[0]!.weight < 1e-6)
  t.equal(bearingTerm(source, [], still).logLikelihood, 0)
  t.end()
})

/** What became of single shots that at least `heard` gateways heard straight. */
function located(seed: number, count: number, settings: Partial<TrialSettings>, heard: number) {
  const errors: number[] = []
  const radii: number[] = []
  let [shots, inside, extra] = [0, 0, 0]
  for (const trial of trials(seed, count, settings)) {
    const [truth] = trial.truth.shots
    const found = locateShots(trial)
    if (truth === undefined || truth.heardDirectly < heard) continue
    shots++
    const [first] = found.filter(({ time }) => Math.abs(time - truth.time) < 0.5)
    extra += found.length - (first ? 1 : 0)
    if (first === undefined) continue
    const [e, n] = [truth.position.east - first.position.east, truth.position.north - first.position.north]
    const [[ee, en], [, nn]] = first.covariance
    const determinant = ee * nn - en * en
    if ((nn * e * e - 2 * en * e * n + ee * n * n) / determinant < 5.99) inside++
    errors.push(Math.hypot(e, n))
    radii.push(Math.sqrt(5.99 * Math.sqrt(determinant)))
  }
  const middle = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
  return { shots, found: errors.length, inside, extra, error: middle(errors), radius: middle(radii) }
}

test('two gateways with arrays locate a shot where two with single microphones cannot', t => {
  const settings = { gateways: 2, bearingError: 2 }
  const arrays = located(5, 120, { ...settings, arrays: 1 }, 2)
  const figures = JSON.stringify(arrays)
  t.ok(arrays.found > 0.25 * arrays.shots, figures)
  t.ok(arrays.error < 12, figures)
  t.ok(arrays.inside >= 0.92 * arrays.found, figures)
  t.ok(arrays.extra <= 0.02 * arrays.shots, figures)
  const single = located(5, 60, { ...settings, arrays: 0 }, 2)
  t.equal(single.found, 0)
  t.equal(single.extra, 0)
  t.end()
})

test('bearings find more shots of three gateways, in smaller ellipses that hold them', t => {
  for (const geometry of ['inside', 'outside'] as const) {
    const settings = { gateways: 3, geometry, bearingError: 2 }
    const [without, withThem] = [0, 1].map(arrays => located(6, 100, { ...settings, arrays }, 3))
    const figures = `${geometry}: ${JSON.stringify(withThem)}, without bearings ${JSON.stringify(without)}`
    t.ok(withThem!.found > without!.found && withThem!.found > 0.75 * withThem!.shots, figures)
    t.ok(withThem!.radius < 0.8 * without!.radius && withThem!.error < without!.error, figures)
    t.ok(withThem!.inside >= 0.9 * withThem!.found, figures)
  }
  t.end()
})

test('of two places that the times of three gateways fit alike, bearings take the true one', t => {
  const random = new Random(12)
  const places = [place(0, 0), place(240, 30), place(90, 210)].map((position, i) => ({
    gateway: `gateway-${i + 1}`,
    position: { ...position, up: 6 },
    positionError: 0.5,
  }))
  const station = (i: number) => {
    const { gateway, position, positionError } = places[i]!
    return { gateway, position, positionError, heardUntil: 1010, rippleRate: 0.6, candidates: [] }
  }
  let [tried, right, wrong] = [0, 0, 0]
  for (let trial = 0; tried < 40 && trial < 1000; trial++) {
    const source = place(random.between(-250, 450), random.between(-250, 450))
    const delays = places.map(
      ({ position }) => Math.hypot(source.east - position.east, source.north - position.north) / still.speed,
    )
    const fits: { east: number; north: number }[] = []
    const stations = [station(0), station(1), station(2)] as const
    placesOfThree(stations, delays[0]!, delays[1]!, delays[2]!, still.speed, (east, north) =>
      fits.push({ east, north }),
    )
    const other = fits.find(({ east, north }) => Math.hypot(east - source.east, north - source.north) > 60)
    if (other === undefined) continue
    tried++
    const arrivals = places.map(({ gateway, position }, i) => ({
      id: `${gateway}/e/1`,
      gateway,
      time: 1000 + delays[i]!,
      timeError: 0.001,
      salience: 25,
      soundLevel: 90,
      bearing: { azimuth: azimuth(position, source), elevation: null, error: 2 },
      gunProbability: null,
    }))
    const heardUntil = new Map(places.map(({ gateway }) => [gateway, 1010]))
    const shots = locateShots({
      arrivals,
      places: new Map(places.map(each => [each.gateway, each])),
      heardUntil,
      weather,
    })
    const isAt = (where: { east: number; north: number }): boolean =>
      shots.some(({ position: { east, north } }) => Math.hypot(east - where.east, north - where.north) < 40)
    if (isAt(source)) right++
    if (isAt(other)) wrong++
  }
  t.ok(tried === 40 && right >= 0.8 * tried && wrong === 0, `${right} of ${tried} right, ${wrong} wrong`)
  t.end()
})

test('a bearing to an echo does not pull a place that times fix', t => {
  const settings = { gateways: 8, arrays: 1, bearingError: 2, lateShare: 0, pathError: 0.004, shadowed: 0 }
  const shifts: number[] = []
  for (const trial of trials(9, 50, settings)) {
    const seen = (bearing: (each: Arrival) => Arrival['bearing']) =>
      locateShots({ ...trial, arrivals: trial.arrivals.map(each => ({ ...each, bearing: bearing(each) })) })
    const [plain] = seen(() => null)
    const liar = trial.arrivals.find(({ id }) => trial.truth.provenance.get(id)?.shot === 0)
    if (plain === undefined || liar?.bearing == null) continue
    const wrong = { ...liar.bearing, azimuth: (liar.bearing.azimuth + 130) % 360 }
    const [misled] = seen(({ gateway }) => (gateway === liar.gateway ? wrong : null))
    const [a, b] = [plain.position, misled?.position ?? place(Number.POSITIVE_INFINITY, 0)]
    shifts.push(Math.hypot(a.east - b.east, a.north - b.north))
  }
  shifts.sort((a, b) => a - b)
  const high = shifts[Math.floor(0.95 * shifts.length)] ?? Number.NaN
  t.ok(shifts.length > 35 && high < 3, `by ${high} m at most in 95 % of ${shifts.length}, ${shifts.at(-1)} m at worst`)
  t.end()
})
