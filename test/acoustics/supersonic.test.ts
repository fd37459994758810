import { test } from 'tap'
import { loadArrayGeometry } from '../../drivers/device-files.js'
import { turn } from '../../gateway/acoustics/array-shape.js'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { Hearing } from '../../gateway/acoustics/hearing.js'
import type { GunfireRevision } from '../../gateway/acoustics/incident.js'
import { locateShots } from '../../gateway/acoustics/locate.js'
import { type HeardFront, nWaveOf, type Projectile, rangeOfShooter } from '../../gateway/acoustics/shock-wave.js'
import { ShockPairing } from '../../gateway/acoustics/supersonic.js'
import { arrayDirection } from '../../gateway/commands/array-direction.js'
import { Ear } from '../../gateway/commands/ear.js'
import { arrivalDraft, gunfireDraft, neighbourReport } from '../../gateway/commands/hearing-messages.js'
import { shockWave } from '../../scripts/simulator/physics.js'
import { Random } from '../../scripts/simulator/random.js'
import {
  addAt,
  friedlanderSpectrum,
  guard,
  nWaveSpectrum,
  type Spectrum,
  sampled,
  shapedNoise,
} from '../../scripts/simulator/waveform.js'

const radians = Math.PI / 180

/** Degrees from the array, which is at the origin. */
function azimuthOf({ east, north }: { east: number; north: number }): number {
  return (Math.atan2(east, north) / radians + 360) % 360
}

/**
 * Both fronts at an array, by Fermat's principle and no formula of the code under test: the shock leaves the straight path of the
 * bullet where it arrives first.
 */
function fronts(
  shooter: { east: number; north: number },
  course: number,
  { mach, loss }: { mach: number; loss: number },
  speedOfSound: number,
): { shock: HeardFront; blast: HeardFront; along: number } | null {
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
    bearing: { azimuth: azimuthOf(source), elevation: null, error: 0.5 },
  })
  return {
    shock: front(when(along), from),
    blast: front(Math.hypot(shooter.east, shooter.north) / speedOfSound, shooter),
    along,
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
  const clipped = (heard: ReturnType<typeof snippet>, limit: number) => {
    return {
      ...heard,
      channels: heard.channels.map(each => each.map(value => Math.max(-limit, Math.min(limit, value)))),
    }
  }
  for (const limit of [0.45, 0.7]) {
    const wave = nWaveOf(clipped(snippet(nWaveSpectrum(1, 300e-6), 48_000), limit))
    t.ok(wave && Math.abs(wave.duration - 300e-6) < 3 / 48_000, `cut at ${limit}: ${wave?.duration} s`)
  }
  for (let trial = 0; trial < 40; trial++) {
    const positive = random.between(0.0005, 0.003)
    const blast = snippet(friedlanderSpectrum({ peak: 1, positive, decay: random.between(0.6, 1.5) }), 48_000)
    t.equal(nWaveOf(blast), null)
    for (const limit of [0.15, 0.3, 0.6]) t.equal(nWaveOf(clipped(blast, limit)), null, `cut at ${limit}`)
    t.equal(nWaveOf(snippet(null, 48_000, 0.2)), null)
  }
  t.equal(nWaveOf(snippet(() => ({ real: 1e-5, imaginary: 0 }), 48_000, 0.001)), null, 'a click')
  t.end()
})

/** A rifle round: calibre and length of the bullet, metres. */
const bullets = [
  { diameter: 0.00556, length: 0.023 },
  { diameter: 0.00762, length: 0.03 },
] as const
const sampleRate = 48_000

/** Both fronts of one round as an array records them: pascal, plane waves, over city noise; the shock after half a second. */
function round(
  microphones: readonly { readonly right: number; readonly forward: number }[],
  heard: { shock: HeardFront; blast: HeardFront; along: number },
  bullet: { mach: number; loss: number; range: number; miss: number },
  random: Random,
): Float32Array[] {
  const speed = 340
  const { shock, blast, along } = heard
  const closest = bullet.range * Math.sin(Math.abs(bullet.miss) * radians)
  const there = (bullet.mach - bullet.loss * along) * speed
  const wave = shockWave(closest, there, speed, bullets[random.integer(2)]!, 101.325)
  const muzzle = {
    peak: (20e-6 * 10 ** (random.normal(160, 2) / 20)) / bullet.range,
    positive: random.between(0.0015, 0.003),
    decay: 1,
  }
  const delay = blast.time - shock.time
  const length = Math.round((1.2 + delay) * sampleRate)
  const noise = shapedNoise(random, 2 ** 18, sampleRate, frequency => 1 / Math.max(300, frequency))
  return microphones.map(({ right, forward }) => {
    const samples = new Float32Array(length)
    addAt(samples, noise.subarray(random.integer(2 ** 17)), 0, 0.02)
    const arrive = (spectrum: Spectrum, seconds: number, azimuth: number): void => {
      const lead = (right * Math.sin(azimuth * radians) + forward * Math.cos(azimuth * radians)) / speed
      const at = (seconds - lead) * sampleRate
      addAt(samples, sampled(spectrum, sampleRate, 0.03, (at % 1) / sampleRate), Math.floor(at) - guard)
    }
    arrive(nWaveSpectrum(wave.peak, wave.duration), 0.5, shock.bearing.azimuth)
    arrive(friedlanderSpectrum(muzzle), 0.5 + delay, blast.bearing.azimuth)
    return samples
  })
}

test('one array hears how far a rifle is, whatever the miss distance and speed, within the error that it states', async t => {
  const weather = { temperature: 14.5, humidity: null, windSpeed: null, windFrom: null }
  for (const [name, fullScale] of [
    ['square', 200],
    ['circle-8', 200],
    // A microphone that clips at 120 dB cuts the shock wave flat.
    ['square', 28],
  ] as const) {
    const geometry = await loadArrayGeometry(name)
    const direction = await arrayDirection(geometry, 0, weather)
    const random = new Random(17)
    let [reached, marked, given, held] = [0, 0, 0, 0]
    const widths: number[] = []
    for (let trial = 0; trial < 60; trial++) {
      const [range, where] = [random.between(60, 350), random.between(0, 360)]
      const bullet = { mach: random.between(1.7, 2.8), loss: random.between(0.001, 0.004), range }
      const miss = random.between(8, 45) * (random.chance(0.5) ? 1 : -1)
      const shooter = { east: range * Math.sin(where * radians), north: range * Math.cos(where * radians) }
      const heard = fronts(shooter, where + 180 + miss, bullet, 340)
      // Fronts that come within 60 ms of each other are one sound to the listener.
      if (heard === null || heard.blast.time - heard.shock.time < 0.08) continue
      reached++
      const sound = round(geometry.microphones, heard, { ...bullet, miss }, random)
      const arrivals = listen(sound, fullScale, direction)
      const shocks = arrivals.filter(({ shockWave }) => shockWave === true)
      if (shocks.length === 1 && Math.abs(shocks[0]!.time - 1000.5) < 0.003) marked++
      const ranged = arrivals.filter(({ range }) => range !== undefined)
      t.ok(ranged.length <= 1 && ranged.every(({ shockWave }) => shockWave === undefined))
      const [blast] = ranged
      if (blast?.range === undefined) continue
      given++
      widths.push((blast.range.farthest - blast.range.nearest) / 2 / blast.range.distance)
      t.ok(Math.abs(turn(where, blast.bearing?.azimuth ?? 0)) < 5, 'the bearing is that of the gun')
      if (blast.range.nearest <= range && range <= blast.range.farthest) held++
    }
    const figures = `${name}, full scale ${fullScale} Pa: ${reached} rounds, ${marked} shock waves told, ${given} ranges, ${held} within their error, ± ${(100 * (widths.sort((a, b) => a - b)[widths.length >> 1] ?? 0)).toFixed(0)} % at the median`
    t.comment(figures)
    t.ok(reached > 25 && marked >= 0.9 * reached, figures)
    t.ok(given >= 0.75 * reached && held >= 0.92 * given && widths[widths.length >> 1]! < 0.5, figures)
  }
})

function listen(
  sound: Float32Array[],
  fullScale: number,
  direction: Awaited<ReturnType<typeof arrayDirection>>,
): Arrival[] {
  const clock = () => ({ offset: 0, error: 1e-4 })
  const ear = new Ear({ gateway: 'g', part: 'array', epoch: 'e', fullScaleLevel: 120, clock, direction })
  const channels = sound.map(channel => channel.map(value => Math.max(-1, Math.min(1, value / fullScale))))
  const block = {
    kind: 'audio',
    channels,
    sampleRate,
    firstSample: 0,
    systemTime: 1000,
    systemTimeError: 1e-5,
  } as const
  return [...ear.take(block).arrivals, ...ear.finish()]
}

test('a gateway alone tells bearing and range of the gun, and nothing of the shock wave', t => {
  const position = { latitude: 40.44, longitude: -79.99, altitude: 230 }
  const weather = { temperature: 15, humidity: null, windSpeed: null, windFrom: null }
  const options = { gateway: 'pole-1', epoch: 'e', position, positionError: 1, weather, locate: locateShots }
  const hearing = new Hearing({ ...options, heartbeat: 10, loneSalience: 30 })
  const sound = (time: number, azimuth: number) => ({
    id: `pole-1/e/${time}`,
    gateway: 'pole-1',
    time,
    timeError: 0.001,
    salience: 35,
    soundLevel: 120,
    bearing: { azimuth, elevation: null, error: 1 },
    gunProbability: 0.99,
  })
  const pairing = new ShockPairing({ speedOfSound: 340, speedOfSoundError: 0.003 })
  const heard = [pairing.take(sound(1000, 40), true), pairing.take(sound(1000.15, 0), false)]
  t.equal(heard[0]!.shockWave, true)
  t.ok(heard[1]!.range)
  hearing.hear(heard, 1002, 1002)
  const told: GunfireRevision[] = []
  for (let now = 1002; now < 1012; now += 0.1) {
    const { report, due } = hearing.advance(now)
    told.push(...due.map(({ revision }) => revision))
    if (report === null) continue
    t.ok(
      report.arrivals.every(({ id }) => id === 'pole-1/e/1000.15'),
      'neighbours hear of the blast only',
    )
    const wire = arrivalDraft(report, { now, exercise: false, clockError: 0, weather })
    t.same(
      neighbourReport(wire.data).arrivals[0]?.range?.distance ?? 0,
      Math.round(10 * (heard[1]!.range?.distance ?? 0)) / 10,
    )
  }
  const last = told.at(-1)
  t.equal(last?.state, 'final')
  t.equal(last?.quality, 'bearing')
  t.equal(last?.shots.length, 1)
  t.equal(last?.shots[0]?.bearing?.azimuth, 0)
  const draft = last && gunfireDraft(last, { now: 1012, exercise: false, policy: '0'.repeat(64) })
  const range = draft?.data.shots[0]?.range
  t.ok(range && range.nearest < range.distance && range.distance < range.farthest, JSON.stringify(range))
  t.end()
})

test('rounds of automatic fire keep their ranges apart, and echoes of a shock wave take none', t => {
  const pairing = new ShockPairing({ speedOfSound: 340, speedOfSoundError: 0.003 })
  const sound = (time: number, azimuth: number, soundLevel: number): Arrival => ({
    id: `pole-1/e/${time}`,
    gateway: 'pole-1',
    time,
    timeError: 0.001,
    salience: 35,
    soundLevel,
    bearing: { azimuth, elevation: null, error: 1 },
    gunProbability: null,
  })
  const told = [
    pairing.take(sound(0, 40, 125), true),
    pairing.take(sound(0.05, 200, 110), true),
    pairing.take(sound(0.1, 40, 125), true),
    pairing.take(sound(0.15, 0, 120), false),
    pairing.take(sound(0.25, 0, 120), false),
    pairing.take(sound(9, 0, 120), false),
  ]
  const ranges = told.map(({ range }) => range?.distance ?? null)
  t.same(ranges.slice(0, 3), [null, null, null])
  t.ok(ranges[3] && Math.abs(ranges[3] - (ranges[4] ?? 0)) < 1, `${ranges}`)
  t.equal(ranges[5], null, 'a blast long after is another gun')
  t.ok((told[4]!.gunProbability ?? 0) > 0.9)
  t.end()
})
