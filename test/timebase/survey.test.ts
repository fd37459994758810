import { test } from 'tap'
import { MoveWatch, Survey, type SurveyFix } from '../../gateway/timebase/survey.js'

const metre = 1 / 111_195

/** Fixes once a second around a place, with an error that wanders slowly as that of satellites does. */
function* fixes(seconds: number, place = { latitude: 40, longitude: 0 }): Generator<SurveyFix> {
  for (let at = 0; at < seconds; at += 1) {
    yield {
      latitude: place.latitude + metre * (3 * Math.sin(at / 200) + Math.sin(at * 1.7)),
      longitude:
        place.longitude + (metre * (3 * Math.cos(at / 310) + Math.cos(at * 2.3))) / Math.cos(40 * (Math.PI / 180)),
      altitude: 200 + Math.sin(at),
      horizontalError: 4,
      at,
    }
  }
}

test('a survey', async t => {
  t.test('ends when it has lasted long enough and is good enough, near the true place', async t => {
    const survey = new Survey({ duration: 1200, accuracy: 2.5 })
    const [place] = [...fixes(4000)].flatMap(fix => survey.take(fix) ?? [])
    if (place === undefined) throw new Error('the survey has not ended')
    t.ok(place.duration >= 1200)
    t.ok(place.error <= 2.5)
    const north = (place.latitude - 40) / metre
    const east = (place.longitude / metre) * Math.cos(40 * (Math.PI / 180))
    t.ok(Math.hypot(north, east) < 2 * place.error, `${north} m north, ${east} m east`)
    t.ok(Math.abs((place.altitude ?? 0) - 200) < 1)
  })

  t.test('is not misled by fixes that are far off, nor claims more than one fix in five minutes is worth', async t => {
    const survey = new Survey({ duration: 0, accuracy: 0 })
    for (const fix of fixes(1000)) survey.take(fix.at % 10 === 0 ? { ...fix, latitude: fix.latitude + 1 } : fix)
    const place = survey.sofar()
    t.ok(Math.abs((place?.latitude ?? 0) - 40) < 3 * metre)
    t.ok((place?.error ?? 0) > 1.5)
    t.equal(survey.take({ ...[...fixes(1)][0]!, at: 1001 }), null)
  })

  t.test('gives the place of the array, not of the antenna', async t => {
    const survey = new Survey({ duration: 0, accuracy: 100, antennaOffset: { east: 0, north: -10, up: -2 } })
    const place = survey.take({ latitude: 40, longitude: 0, altitude: 200, horizontalError: 3, at: 0 })
    t.ok(Math.abs((place?.latitude ?? 0) - (40 - 10 * metre)) < 0.01 * metre)
    t.equal(place?.altitude, 198)
  })
})

test('a pole that was surveyed', async t => {
  const place = { latitude: 40, longitude: 180, altitude: 200, error: 2, duration: 3600 }
  const at = (seconds: number, north: number, horizontalError = 4): SurveyFix => ({
    latitude: 40 + north * metre,
    longitude: -180,
    altitude: 200,
    horizontalError,
    at: seconds,
  })

  t.test('has moved when it has been elsewhere for a while, by as much as the fixes say', async t => {
    const watch = new MoveWatch(place)
    for (let seconds = 0; seconds < 120; seconds += 10) t.equal(watch.take(at(seconds, 50)), null)
    t.ok(Math.abs((watch.take(at(120, 50)) ?? 0) - 50) < 0.1)
    t.equal(watch.take(at(130, 1)), null, 'and stands where it was when it is back')
    t.equal(watch.take(at(140, 50)), null)
  })

  t.test('has not moved for one wild fix, nor under a poor sky', async t => {
    const watch = new MoveWatch(place)
    for (let seconds = 0; seconds < 1000; seconds += 10) {
      t.equal(watch.take(at(seconds, seconds % 100 === 0 ? 500 : 2)), null)
      t.equal(watch.take(at(seconds, 50, 40)), null)
    }
  })
})
