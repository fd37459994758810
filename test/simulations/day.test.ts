import { test } from 'tap'
import type { Arrival } from '../../gateway/acoustics/arrival.js'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'
import type { GunfireRevision } from '../../gateway/acoustics/incident.js'
import { drawDay } from '../../scripts/simulator/day.js'
import { followScene, hearScene, wholeOf } from '../../scripts/simulator/day-network.js'
import { DayScore } from '../../scripts/simulator/day-score.js'
import { plainGateway, plainScene } from '../../scripts/simulator/scene.js'
import { at, start } from './open-field.js'

const corners = [at(-150, -100, 6), at(160, -120, 6), at(140, 130, 6), at(-120, 140, 6), at(10, 0, 6)]
const gateways = corners.map((corner, i) => plainGateway(`pole-${i + 1}`, corner))
const guns = [3, 3.5, 30].map(seconds => ({ kind: 'gun' as const, time: start + seconds, position: at(40, 30, 1.4) }))
const field = plainScene({ start, duration: 60, sampleRate: 8000, gateways, sources: guns })

/** An incident with shots at these seconds, so many metres east of the guns. */
function incident(
  id: string,
  seconds: readonly number[],
  off = 0,
  state: 'final' | 'updated' = 'final',
  probability = 0.9,
): GunfireRevision {
  const position = new TangentPlane(field.origin).toGeodetic(at(40 + off, 30, 1.4))
  const uncertainty = { semiMajor: 20, semiMinor: 10, orientation: 90, confidence: 0.95 }
  const rest = {
    timeError: 0.01,
    probability,
    sound: null,
    heightError: null,
    corroborated: null,
    bearing: null,
    range: null,
    arrivals: [],
  }
  const shots = seconds.map(each => ({ time: start + each, position, uncertainty, ...rest }))
  return { incident: id, revision: 1, state, mergedInto: null, quality: 'located', shots }
}

test('what a network publishes is held against the truth', t => {
  const figures = (...revisions: readonly GunfireRevision[]) => scored(0, revisions)
  const scored = (deaf: number, revisions: readonly GunfireRevision[]) => {
    const score = new DayScore(field)
    gateways.forEach((gateway, i) => {
      const { east, north } = corners[i]!
      // The last round is heard by three gateways only.
      const times = guns
        .slice(0, i < 3 ? 3 : 2)
        .map(({ time }) => time + Math.hypot(east - 40, north - 30, 4.6) / 343.2)
      const arrivals = times.map((time, n): Arrival => {
        const rest = { timeError: 0.001, salience: 20, soundLevel: 90, bearing: null, gunProbability: null }
        return { id: `${gateway.id}/e/${n}`, gateway: gateway.id, time, ...rest }
      })
      if (i < deaf) score.heardWithoutGuns(gateway.id, arrivals.slice(0, 1))
      score.heard(gateway, arrivals)
    })
    for (const revision of revisions) score.published(revision)
    return score.figures()
  }
  const good = figures(incident('a', [3, 3.5], 15), incident('b', [30], -15))
  t.equal(good.heard, 2)
  t.equal(scored(2, []).heard, 1, 'what a gateway hears without the gun, too, is not the shot')
  t.equal(good.confirmed, 2)
  t.equal(good.confirmedAtAll, 3)
  t.ok(Math.abs((good.medianError ?? 0) - 15) < 0.1)
  t.equal(good.insideEllipse, 3, 'the ellipse is longer towards the east')
  t.same([good.falseAlerts.length, good.spareShots, good.doubledIncidents], [0, 0, 0])
  t.equal(figures(incident('a', [3, 3.5], 0, 'updated')).confirmed, 0, 'only what is final counts')
  const doubted = figures(incident('a', [3, 3.5], 0, 'final', 0.4), incident('b', [20], 0, 'final', 0.4))
  t.same([doubted.confirmed, doubted.falseAlerts.length, doubted.doubted], [0, 0, 2], 'what doubts itself is neither')
  const elsewhere = figures(incident('a', [3, 3.5], 150))
  t.equal(elsewhere.confirmed, 0)
  t.equal(elsewhere.falseAlerts.length, 1)
  t.same(elsewhere.falseAlerts[0]?.after, ['gun'])
  t.equal(figures(incident('a', [20])).falseAlerts.length, 1)
  t.equal(figures(incident('a', [3, 3.2, 3.5])).spareShots, 1)
  t.equal(figures(incident('a', [3, 3.5]), incident('b', [3, 3.5])).doubledIncidents, 1)
  t.end()
})

test('gateways that listen to a simulated scene confirm its shots, and any part of a day can be listened to', t => {
  const score = new DayScore(field)
  followScene(field, hearScene(field, [wholeOf(field)]), {
    heard: (gateway, arrivals) => score.heard(gateway, arrivals),
    published: (_, revision) => score.published(revision),
    progress: () => {},
  })
  const { shots, heard, confirmed, falseAlerts } = score.figures()
  t.same([shots, heard, confirmed, falseAlerts.length], [3, 3, 3, 0])
  const day = drawDay({ seed: 2, hours: 0.1, gateways: 4, shots: 2, sampleRate: 8000 })
  let listened = 0
  const stretch = { from: 100, until: 104 }
  t.equal(new DayScore(day, [stretch]).figures().shots, 0)
  const witness = { heard: () => {}, published: () => {}, progress: (seconds: number) => (listened = seconds) }
  followScene(day, hearScene(day, [stretch]), witness)
  t.ok(listened > 104 && listened < 130)
  t.end()
})
