import { test } from 'tap'
import { faddeeva, flowResistivity, groundReflection } from '../../scripts/simulator/ground.js'
import {
  absorber,
  absorption,
  absorptionResponse,
  distanceBetween,
  edgeLoss,
  effectiveSpeed,
  machAngle,
  shockAt,
  shockWave,
  speedOfSound,
  spreading,
  toDecibel,
  travelTime,
  windVector,
} from '../../scripts/simulator/physics.js'
import { friedlander, friedlanderSpectrum, nWave, nWaveSpectrum } from '../../scripts/simulator/waveform.js'

const at = (east: number, north: number, up = 0) => ({ east, north, up })
const still = { east: 0, north: 0 }
const mild = { temperature: 20, humidity: 50, pressure: 101.325 }

/** ISO 9613-2:1996, table 2: decibel a kilometre at the octaves' exact middles from 63 Hz to 8 kHz. */
const published = [
  { temperature: 10, humidity: 70, loss: [0.1, 0.4, 1.0, 1.9, 3.7, 9.7, 32.8, 117] },
  { temperature: 20, humidity: 70, loss: [0.1, 0.3, 1.1, 2.8, 5.0, 9.0, 22.9, 76.6] },
  { temperature: 30, humidity: 70, loss: [0.1, 0.3, 1.0, 3.1, 7.4, 12.7, 23.1, 59.3] },
  { temperature: 15, humidity: 20, loss: [0.3, 0.6, 1.2, 2.7, 8.2, 28.2, 88.8, 202] },
  { temperature: 15, humidity: 50, loss: [0.1, 0.5, 1.2, 2.2, 4.2, 10.8, 36.2, 129] },
  { temperature: 15, humidity: 80, loss: [0.1, 0.3, 1.1, 2.4, 4.1, 8.3, 23.7, 82.8] },
]

test('air absorbs what the table of ISO 9613-2 says, in six climates and eight octaves', async t => {
  for (const { temperature, humidity, loss } of published) {
    loss.forEach((expected, index) => {
      const frequency = 1000 * 10 ** (0.3 * (index - 4))
      const found = 1000 * absorption(frequency, { temperature, humidity, pressure: 101.325 })
      const rounding = expected < 100 ? 0.05 : 0.5
      t.ok(
        Math.abs(found - expected) <= rounding + 0.002 * expected,
        `${temperature} °C, ${humidity} %, ${Math.round(frequency)} Hz: ${found.toFixed(2)} for ${expected}`,
      )
    })
  }
})

test('the filter of a distance has the loss of the standard and turns no phase at 1 kHz', async t => {
  const air = absorber(mild)
  for (const frequency of [0, 50, 500, 1000, 4000, 16_000]) {
    const { real, imaginary } = absorptionResponse(frequency, 300, air)
    const loss = -toDecibel(Math.hypot(real, imaginary))
    t.ok(Math.abs(loss - 300 * absorption(frequency, mild)) < 1e-9, `${frequency} Hz`)
  }
  const { imaginary } = absorptionResponse(1000, 5000, air)
  t.ok(Math.abs(imaginary) < 1e-12)
  const phase = (frequency: number) => {
    const { real, imaginary: turned } = absorptionResponse(frequency, 100, air)
    return Math.atan2(turned, real) / (2 * Math.PI * frequency)
  }
  t.ok(phase(8000) > 0 && phase(8000) < 2e-5, 'high tones come a little earlier, by less than 20 µs in 100 m')
})

test('sound needs distance over speed, and the wind helps, hinders and carries it sideways', async t => {
  t.ok(Math.abs(speedOfSound({ ...mild, humidity: 0 }) - 343.2) < 0.05)
  t.ok(Math.abs(speedOfSound({ temperature: 0, humidity: 0, pressure: 101.325 }) - 331.3) < 1e-9)
  const gain = speedOfSound({ ...mild, humidity: 100 }) / speedOfSound({ ...mild, humidity: 0 })
  t.ok(gain > 1.003 && gain < 1.0045, 'damp air is up to 0.4 % faster')
  t.ok(Math.abs(travelTime([at(0, 0), at(300, 400)], 340, still) - 500 / 340) < 1e-12)
  t.ok(Math.abs(travelTime([at(0, 0), at(300, 0), at(300, 400)], 340, still) - 700 / 340) < 1e-12, 'along a bend')
  const west = windVector(10, 270)
  t.ok(Math.abs(effectiveSpeed(at(0, 0), at(100, 0), 340, west) - 350) < 1e-9, 'a west wind blows eastwards')
  t.ok(Math.abs(effectiveSpeed(at(100, 0), at(0, 0), 340, west) - 330) < 1e-9)
  t.ok(Math.abs(effectiveSpeed(at(0, 0), at(0, 100), 340, west) - Math.sqrt(340 ** 2 - 100)) < 1e-9)
})

test('twice the distance is 6 dB less', async t => {
  for (const distance of [1, 10, 77, 500]) {
    t.ok(Math.abs(toDecibel(spreading(distance) / spreading(2 * distance)) - 6.0206) < 1e-4)
  }
})

test('the shock wave comes from where the cone leaves the flight, and before the muzzle blast', async t => {
  const flight = { muzzle: at(0, 0, 1.5), direction: at(0, 1, 0), bulletSpeed: 800, range: 400 }
  const speed = 340
  t.ok(Math.abs(Math.sin(machAngle(800, speed)) - speed / 800) < 1e-12)
  for (const place of [at(30, 200, 6), at(-80, 250, 1.5), at(5, 100, 20)]) {
    const shock = shockAt(place, flight, speed)!
    let earliest = Number.POSITIVE_INFINITY
    for (let flown = 0; flown <= 400; flown += 0.01) {
      earliest = Math.min(earliest, flown / 800 + distanceBetween(at(0, flown, 1.5), place) / speed)
    }
    t.ok(Math.abs(shock.delay - earliest) < 1e-7, 'no point of the flight is heard earlier')
    t.ok(Math.abs(shock.origin.north / 800 + distanceBetween(shock.origin, place) / speed - shock.delay) < 1e-12)
    t.ok(shock.delay < distanceBetween(flight.muzzle, place) / speed)
    const ray = Math.atan2(shock.missDistance, distanceBetween(shock.origin, place))
    t.ok(ray > 0, 'the flight misses')
    const cosine = (place.north - shock.origin.north) / distanceBetween(shock.origin, place)
    t.ok(Math.abs(cosine - speed / 800) < 1e-9, 'the ray leaves at right angles to the cone')
  }
  t.equal(shockAt(at(30, -50), flight, speed), null, 'not behind the gun')
  t.equal(shockAt(at(10, 900), flight, speed), null, 'not beyond the end of the flight')
  t.equal(shockAt(at(30, 200), { ...flight, bulletSpeed: 300 }, speed), null, 'not for a slow bullet')
})

test('an N-wave weakens with the three quarters power of the miss distance and stretches with the fourth root', async t => {
  const bullet = { diameter: 0.0078, length: 0.03 }
  const near = shockWave(10, 800, 340, bullet, 101.325)
  const far = shockWave(160, 800, 340, bullet, 101.325)
  t.ok(Math.abs(near.peak / far.peak - 16 ** 0.75) < 1e-9)
  t.ok(Math.abs(far.duration / near.duration - 2) < 1e-9)
  t.ok(
    near.duration > 1e-4 && near.duration < 4e-4,
    `${near.duration} s: some hundred microseconds, as measured by Maher`,
  )
})

test('an edge costs 5 dB at the border of the shadow and follows Kurze and Anderson behind it', async t => {
  t.ok(Math.abs(edgeLoss(500, 0, 340) - 5) < 1e-9)
  const fresnel = 5
  const detour = (fresnel * 340) / (2 * 500)
  t.ok(Math.abs(edgeLoss(500, detour, 340) - (5 + toDecibel(Math.sqrt(2 * Math.PI * fresnel)))) < 1e-3)
  t.equal(edgeLoss(8000, 50, 340), 30, 'and never more than 30 dB')
})

test('ground is a mirror where it is hard, follows the plane-wave law from above, and never silences grazing sound', async t => {
  t.same(groundReflection(1000, 0.3, 50, Number.POSITIVE_INFINITY, 340), { real: 1, imaginary: 0 })
  const hard = groundReflection(1000, 0.3, 50, 1e13, 340)
  t.ok(Math.hypot(hard.real - 1, hard.imaginary) < 1e-3)
  const steep = groundReflection(1000, Math.PI / 2, 1e5, flowResistivity.grass, 340)
  const ratio = (1000 / flowResistivity.grass) ** -0.632
  const [resistance, reactance] = [1 + 0.07 * ratio, -0.107 * ratio]
  const square = (resistance + 1) ** 2 + reactance ** 2
  const expected = {
    real: ((resistance - 1) * (resistance + 1) + reactance ** 2) / square,
    imaginary: (reactance * (resistance + 1) - reactance * (resistance - 1)) / square,
  }
  t.ok(Math.hypot(steep.real - expected.real, steep.imaginary - expected.imaginary) < 1e-4)
  const grazing = groundReflection(300, 0.01, 300, flowResistivity.asphalt, 340)
  t.ok(grazing.real > 0.8, `over asphalt sound nearly doubles: ${grazing.real}`)
  t.same(
    [faddeeva(0, 0).real, faddeeva(0, 1).real, faddeeva(1, 0).real].map(value => value.toFixed(7)),
    ['1.0000000', (Math.E * 0.15729920705).toFixed(7), Math.exp(-1).toFixed(7)],
    'w(0) = 1, w(i) = e erfc(1), Re w(1) = 1/e',
  )
})

test('the spectra of blast and N-wave are the Fourier integrals of their curves', async t => {
  const blast = { peak: 100, positive: 0.0006, decay: 1.1 }
  const integral = (curve: (time: number) => number, frequency: number, seconds: number) => {
    const step = 1e-7
    let [real, imaginary] = [0, 0]
    for (let time = step / 2; time < seconds; time += step) {
      const value = curve(time) * step
      real += value * Math.cos(2 * Math.PI * frequency * time)
      imaginary -= value * Math.sin(2 * Math.PI * frequency * time)
    }
    return { real, imaginary }
  }
  for (const frequency of [0, 100, 1000, 7000]) {
    const cases = [
      [integral(time => friedlander(time, blast), frequency, 0.012), friedlanderSpectrum(blast)(frequency)],
      [integral(time => nWave(time, 100, 0.0003), frequency, 0.0003), nWaveSpectrum(100, 0.0003)(frequency)],
    ] as const
    for (const [found, closed] of cases) {
      t.ok(Math.hypot(found.real - closed.real, found.imaginary - closed.imaginary) < 2e-6, `${frequency} Hz`)
    }
  }
  t.equal(friedlander(blast.positive, blast), 0, 'the positive phase ends when it says')
})
