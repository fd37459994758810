import { test } from 'tap'
import { bearingOf, type Trial, type TrialSettings, trials } from '../../scripts/simulator/arrivals.js'
import { distanceBetween, speedOfSound } from '../../scripts/simulator/physics.js'
import { depthInside, hullOf } from '../../scripts/simulator/placements.js'

const exact: Partial<TrialSettings> = {
  pickError: 0,
  pathError: 0,
  lateShare: 0,
  clockError: 0,
  surveyError: 0,
  shadowed: 0,
  missed: 0,
  echoes: 0,
  falseRate: 0,
  temperatureError: 0,
  windSpeed: 0,
}

/** Seconds by which each direct arrival is later than straight sound at true places would be. */
function residuals(trial: Trial): { readonly gateway: string; readonly shot: number; readonly late: number }[] {
  const { temperature, humidity } = trial.weather
  const speed = speedOfSound({ temperature: temperature!, humidity: humidity!, pressure: 101.325 })
  return trial.arrivals.flatMap(({ id, gateway, time }) => {
    const { shot, echo } = trial.truth.provenance.get(id)!
    if (shot === null || echo) return []
    const { time: fired, position } = trial.truth.shots[shot]!
    return [
      { gateway, shot, late: time - fired - distanceBetween(position, trial.truth.positions.get(gateway)!) / speed },
    ]
  })
}

const mean = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length
const deviation = (values: readonly number[]) => Math.sqrt(mean(values.map(value => (value - mean(values)) ** 2)))

test('without errors every arrival comes exactly when straight sound does', async t => {
  for (const trial of trials(1, 50, { ...exact, rounds: 3, gateways: 6 })) {
    const late = residuals(trial)
    t.ok(late.length > 3)
    t.ok(late.every(({ late }) => Math.abs(late) < 1e-6))
    t.equal(trial.arrivals.length, late.length, 'and nothing else is heard')
    t.same(
      [...trial.places.values()].map(({ position }) => position),
      [...trial.truth.positions.values()],
    )
  }
})

test('errors have the size that is asked for, and the path differs by gateway but not by round', async t => {
  const picks = [...trials(2, 400, { ...exact, pickError: 0.003 })].flatMap(residuals).map(({ late }) => late)
  t.ok(Math.abs(deviation(picks) - 0.003) < 0.0002, `${deviation(picks)}`)
  const late = [...trials(3, 400, { ...exact, lateShare: 1, lateMean: 0.02 })]
    .flatMap(residuals)
    .map(({ late }) => late)
  t.ok(Math.min(...late) > -1e-6)
  t.ok(Math.abs(mean(late) - 0.02) < 0.0015)
  for (const trial of trials(4, 20, { ...exact, rounds: 4, pathError: 0.01 })) {
    const byGateway = new Map<string, number[]>()
    for (const { gateway, late } of residuals(trial)) byGateway.set(gateway, [...(byGateway.get(gateway) ?? []), late])
    for (const rounds of byGateway.values()) t.ok(Math.max(...rounds) - Math.min(...rounds) < 1e-6)
  }
  const survey = [...trials(5, 200, { ...exact, surveyError: 5 })].flatMap(({ places, truth }) =>
    [...places.values()].flatMap(({ gateway, position }) => {
      const true_ = truth.positions.get(gateway)!
      return [position.east - true_.east, position.north - true_.north]
    }),
  )
  t.ok(Math.abs(deviation(survey) - 5) < 0.3)
})

test('a faulty gateway has its clock or its place off by what is asked', async t => {
  const settings = {
    ...exact,
    faulty: [
      { gateway: 2, clock: 0.05 },
      { gateway: 3, survey: 20 },
    ],
  }
  for (const trial of trials(6, 30, settings)) {
    for (const { gateway, late } of residuals(trial)) t.ok(Math.abs(late - (gateway === 'gateway-3' ? 0.05 : 0)) < 1e-6)
    const stated = trial.places.get('gateway-4')!.position
    t.ok(Math.abs(distanceBetween(stated, trial.truth.positions.get('gateway-4')!) - 20) < 1e-9)
  }
})

test('guns are inside, at the edge and outside, for 3, 6 and 12 gateways', async t => {
  for (const gateways of [3, 6, 12]) {
    for (const geometry of ['inside', 'edge', 'outside'] as const) {
      for (const { truth, places } of trials(7, 30, { gateways, geometry })) {
        const hull = hullOf([...truth.positions.values()])
        const depth = depthInside(truth.shots[0]!.position, hull)
        t.equal(places.size, gateways)
        t.ok(geometry === 'inside' ? depth > 0 : geometry === 'outside' ? depth < 0 : Math.abs(depth) < 70)
      }
    }
  }
})

test('echoes come later than direct sound, other sounds at their rate, bearings point at the gun', async t => {
  let [others, seconds, echoes] = [0, 0, 0]
  for (const trial of trials(8, 200, { gateways: 6, rounds: 2, arrays: 1, bearingError: 1, falseRate: 0.5 })) {
    const first = trial.truth.shots[0]!.time
    seconds += 6 * ([...trial.heardUntil.values()][0]! - 5 - first + 2)
    for (const { id, gateway, time, bearing } of trial.arrivals) {
      const { shot, echo } = trial.truth.provenance.get(id)!
      if (shot === null) others++
      const place = trial.truth.positions.get(gateway)!
      if (shot === null || bearing === null) continue
      const { position, time: fired } = trial.truth.shots[shot]!
      if (echo) {
        echoes++
        t.ok(time - fired > distanceBetween(position, place) / 360)
      } else {
        const off = ((bearing.azimuth - bearingOf(place, position) + 540) % 360) - 180
        t.ok(Math.abs(off) < 5.5)
      }
    }
    t.ok(trial.arrivals.every(({ time }, i) => i === 0 || time >= trial.arrivals[i - 1]!.time))
    t.equal(new Set(trial.arrivals.map(({ id }) => id)).size, trial.arrivals.length)
  }
  t.ok(echoes > 500)
  t.ok(others / seconds > 0.35 && others / seconds < 0.55, `${others / seconds} a second`)
})

test('the same seed draws the same trials, and a trial does not depend on how many there are', async t => {
  const [long, short, other] = [[...trials(9, 5)], [...trials(9, 3)], [...trials(10, 3)]]
  t.same(long.slice(0, 3), short)
  t.notSame(short[0]!.arrivals, other[0]!.arrivals)
})
