import { test } from 'tap'
import { turn } from '../../gateway/acoustics/array-shape.js'
import { type BearingSighting, bearingTerm, crossBearings } from '../../gateway/acoustics/bearing-fit.js'
import { airOf } from '../../gateway/acoustics/propagation.js'
import { type HeardFront, nWaveOf, type Projectile, rangeOfShooter } from '../../gateway/acoustics/shock-wave.js'
import { Random } from '../../scripts/simulator/random.js'
import {
  addAt,
  friedlanderSpectrum,
  guard,
  nWaveSpectrum,
  type Spectrum,
  sampled,
} from '../../scripts/simulator/waveform.js'

const radians = Math.PI / 180
const still = airOf({ temperature: 15, humidity: null, windSpeed: null, windFrom: null })
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

/**
 * Both fronts at an array, by Fermat's principle and no formula of the code under test: the shock leaves the straight path of the
 * bullet where it arrives first.
 */
function fronts(
  shooter: { east: number; north: number },
  course: number,
  { mach, loss }: { mach: number; loss: number },
  speedOfSound: number,
): { shock: HeardFront; blast: HeardFront } | null {
  const when = (along: number): number => {
    const [x, y] = [
      shooter.east + along * Math.sin(course * radians),
      shooter.north + along * Math.cos(course * radians),
    ]
    const flight = loss === 0 ? along / mach : Math.log(mach / (mach - loss * along)) / loss
    return (flight + Math.hypot(x, y)) / speedOfSound
  }
  const last = Math.min(2000, (mach - Math.max(1.15, Math.cbrt(mach))) / Math.max(loss, 1e-9))
  let [low, high] = [0, last]
  for (let i = 0; i < 200; i++) {
    const [one, other] = [low + (high - low) / 3, high - (high - low) / 3]
    if (when(one) < when(other)) high = other
    else low = one
  }
  const along = (low + high) / 2
  // Then no front reaches the array: it lies outside the cone at the muzzle, or the bullet is too slow by then.
  if (along < 1 || along > last - 1) return null
  const from = {
    east: shooter.east + along * Math.sin(course * radians),
    north: shooter.north + along * Math.cos(course * radians),
  }
  const front = (time: number, source: { east: number; north: number }): HeardFront => ({
    time,
    timeError: 0.0003,
    bearing: { azimuth: azimuth(place(0, 0), source), elevation: null, error: 0.5 },
  })
  return {
    shock: front(when(along), from),
    blast: front(Math.hypot(shooter.east, shooter.north) / speedOfSound, shooter),
  }
}

test('delay and angle between shock wave and muzzle blast give the range of the shooter', t => {
  const options = { speedOfSound: 340, speedOfSoundError: 0.003 }
  const random = new Random(8)
  let [reached, given, held] = [0, 0, 0]
  for (let trial = 0; trial < 120; trial++) {
    const [range, where] = [random.between(60, 400), random.between(0, 360)]
    const shooter = { east: range * Math.sin(where * radians), north: range * Math.cos(where * radians) }
    const bullet = { mach: random.between(1.7, 3), loss: random.between(0.001, 0.004) }
    // The bullet passes the array at some distance on either side.
    const miss = random.between(15, 50) * (random.chance(0.5) ? 1 : -1)
    const heard = fronts(shooter, where + 180 + miss, bullet, 340)
    if (heard === null) continue
    const { shock, blast } = heard
    reached++
    const known: Projectile = { mach: [bullet.mach, bullet.mach], loss: [bullet.loss, bullet.loss] }
    const exact = rangeOfShooter(shock, blast, { ...options, projectile: known })
    const assumed = rangeOfShooter(shock, blast, options)
    if (exact) t.ok(Math.abs(exact.range - range) < 0.01 * range, `${exact.range} m for ${range} m`)
    if (!assumed) continue
    given++
    if (assumed.nearest <= range && range <= assumed.farthest) held++
  }
  t.ok(given > 0.8 * reached && reached > 60, `${given} of ${reached} shock waves allow a range`)
  t.equal(held, given, 'the interval holds it for every bullet that is assumed')
  const steady = fronts({ east: 0, north: 200 }, 180 + 30, { mach: 2, loss: 0 }, 340)
  if (steady === null) throw new Error('a steady bullet is heard')
  const found = rangeOfShooter(steady.shock, steady.blast, { ...options, projectile: { mach: [2, 2], loss: [0, 0] } })
  const [delay, angle] = [steady.blast.time - steady.shock.time, Math.abs(turn(steady.shock.bearing.azimuth, 0))]
  t.ok(Math.abs(200 - (340 * delay) / (1 - Math.cos(angle * radians))) < 0.5, 'the closed form for a steady bullet')
  t.ok(found && Math.abs(found.range - 200) < 0.5 && Math.abs(found.angle - angle) < 1e-6)
  t.end()
})

test('no range is given where the physics does not allow one', t => {
  const options = { speedOfSound: 340, speedOfSoundError: 0.003 }
  const front = (time: number, seen: number, error = 0.5): HeardFront => ({
    time,
    timeError: 0.0003,
    bearing: { azimuth: seen, elevation: null, error },
  })
  t.ok(rangeOfShooter(front(0, 40), front(0.15, 0), options), 'where it does, there is one')
  t.equal(rangeOfShooter(front(0.15, 40), front(0, 0), options), null, 'the blast came first')
  t.equal(rangeOfShooter(front(0, 1), front(0.1, 0), options), null, 'they came from one direction')
  t.equal(rangeOfShooter(front(0, 40, 15), front(0.15, 0, 5), options), null, 'the angle is not known well enough')
  t.equal(rangeOfShooter(front(0, 80), front(0.15, 0), options), null, 'no bullet is that fast')
  t.equal(rangeOfShooter(front(0, 40), front(4, 0), options), null, 'that long after it is another sound')
  t.end()
})

test('an N-wave is told from a muzzle blast, a click and noise, at rates that can show it', t => {
  const random = new Random(6)
  const snippet = (spectrum: Spectrum | null, sampleRate: number, hiss = 0.02) => {
    const onset = 0.02 * sampleRate + random.uniform()
    const channels = [1, 0.9].map(gain => {
      const samples = Float32Array.from({ length: 0.07 * sampleRate }, () => 0.1 + hiss * random.normal())
      if (spectrum !== null) {
        const pulse = sampled(spectrum, sampleRate, 0.02, (onset - Math.floor(onset)) / sampleRate)
        addAt(samples, pulse, Math.floor(onset) - guard, gain)
      }
      return samples
    })
    return { channels, sampleRate, onset: onset + random.normal(0, 0.0003 * sampleRate) }
  }
  for (const duration of [150e-6, 250e-6, 400e-6]) {
    for (const sampleRate of [48_000, 96_000]) {
      const wave = nWaveOf(snippet(nWaveSpectrum(1, duration), sampleRate))
      t.ok(wave && Math.abs(wave.duration - duration) < 1.5 / sampleRate, `${wave?.duration} s for ${duration} s`)
      t.ok(wave && wave.symmetry > 0.75 && wave.symmetry < 1.3, `${wave?.symmetry}`)
    }
  }
  t.equal(nWaveOf(snippet(nWaveSpectrum(1, 250e-6), 16_000)), null)
  for (let trial = 0; trial < 40; trial++) {
    const positive = random.between(0.0005, 0.003)
    t.equal(nWaveOf(snippet(friedlanderSpectrum({ peak: 1, positive, decay: random.between(0.6, 1.5) }), 48_000)), null)
    t.equal(nWaveOf(snippet(null, 48_000, 0.2)), null)
  }
  t.equal(nWaveOf(snippet(() => ({ real: 1e-5, imaginary: 0 }), 48_000, 0.001)), null, 'a click')
  t.end()
})
