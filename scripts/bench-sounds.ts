import { parseArgs } from 'node:util'
import type { Arrival } from '../gateway/acoustics/arrival.js'
import { Hearing, usualLoneSalience } from '../gateway/acoustics/hearing.js'
import { ArrayListener } from '../gateway/acoustics/listener.js'
import { blastProbability, gunshotProbability } from '../gateway/acoustics/probability.js'
import { type Clip, otherSounds, streamOf, surround, urbanSounds } from './classifier/clips.js'
import { areaUnderCurve } from './classifier/fit.js'
import { isQuiet, liveFire } from './classifier/live-fire.js'

/*
 * What one gateway with one microphone and no neighbours makes of recorded sounds: listener, judge and hearing together.
 *
 *   node dist/scripts/bench-sounds.js --data DIR [--live-fire DIR] [--json]
 *
 * DIR holds `us8k` (UrbanSound8K, CC BY-NC: for evaluation only) and, where there are any, `ambience`, `thunder`, `door`,
 * `hammer` and `array`. Recall is the share of gun clips in which a sound is as probable as the threshold, where the threshold
 * lets 1 % of the clips without guns through, or none. With --live-fire, of the candidates of FP7 and FP8, which were not
 * trained on, how many were guns by what the judge had said.
 */

interface Heard {
  readonly clip: Clip
  readonly arrivals: readonly Arrival[]
  /** How many sounds were reported to the hub. */
  readonly reports: number
  readonly seconds: number
}

const begin = 1_700_000_000
const place = { latitude: 40.44, longitude: -79.99, altitude: 230 }
const unknownWeather = { temperature: null, humidity: null, windSpeed: null, windFrom: null }
/** Sound comes in blocks of this length, as an array gives it, seconds. */
const block = 0.1
/** How long an incident stays open, seconds. */
const afterwards = 12

function hear(clip: Clip): Heard {
  const { sampleRate, samples } = clip
  const stream = streamOf(clip)
  const listener = new ArrayListener({ gateway: 'bench', epoch: 'bench', sampleRate, channels: 1 })
  const hearing = new Hearing({
    ...{ gateway: 'bench', epoch: 'bench', position: place, positionError: 1, weather: unknownWeather },
    ...{ locate: () => [], heartbeat: 10, loneSalience: usualLoneSalience },
  })
  const timeOf = (sample: number) => ({ utc: begin + sample / sampleRate, error: 0.001 })
  const arrivals: Arrival[] = []
  const told = new Map<string, number>()
  const size = Math.round(block * sampleRate)
  const end = stream.length + afterwards * sampleRate
  for (let at = 0; at < end; at += size) {
    const part = stream.subarray(at, at + size)
    const found = part.length > 0 ? listener.push([part], at, timeOf) : listener.flush()
    arrivals.push(...found)
    const now = begin + (at + size) / sampleRate
    hearing.hear(found, now - 0.4, now)
    for (const { revision } of hearing.advance(now).due) told.set(revision.incident, revision.shots.length)
  }
  const inside = ({ time }: Arrival): boolean =>
    time > begin + surround - 0.05 && time < begin + surround + samples.length / sampleRate
  return {
    clip,
    arrivals: arrivals.filter(inside),
    reports: [...told.values()].reduce((sum, shots) => sum + shots, 0),
    seconds: samples.length / sampleRate,
  }
}

type Score = (arrival: Arrival) => number

const scores: Readonly<Record<string, Score>> = {
  'probability of a gunshot': arrival => gunshotProbability([arrival], null),
  'gun or firework-like': arrival => blastProbability([arrival], null) ?? 0,
}

function separation(heard: readonly Heard[], score: Score) {
  const scored = heard.map(({ clip, arrivals }) => ({
    positive: clip.kind === 'gun_shot',
    weight: 1,
    score: arrivals
      .filter(({ gunProbability }) => gunProbability !== null)
      .reduce((best, arrival) => Math.max(best, score(arrival)), 0),
  }))
  const guns = scored.filter(({ positive }) => positive)
  const others = scored.flatMap(each => (each.positive ? [] : [each.score])).sort((a, b) => b - a)
  const at = (allowed: number) => {
    const threshold = others[allowed] ?? 0
    return { threshold, recall: guns.filter(each => each.score > threshold).length / guns.length }
  }
  return {
    guns: guns.length,
    others: others.length,
    area: areaUnderCurve(scored),
    onePerCent: at(Math.floor(0.01 * others.length)),
    none: at(0),
  }
}

function shipped(heard: readonly Heard[]) {
  const share = (guns: boolean): number => {
    const clips = heard.filter(({ clip }) => (clip.kind === 'gun_shot') === guns)
    return clips.filter(({ reports }) => reports > 0).length / clips.length
  }
  return { recall: share(true), false: share(false) }
}

function rowOf(kind: string, heard: readonly Heard[]) {
  const own = heard.filter(({ clip }) => clip.kind === kind)
  const seconds = own.reduce((sum, each) => sum + each.seconds, 0)
  const perHour = (count: (each: Heard) => number): number =>
    (3600 * own.reduce((sum, each) => sum + count(each), 0)) / seconds
  return {
    kind,
    trained: own.some(({ clip }) => clip.trained),
    clips: own.length,
    seconds,
    candidatesPerHour: perHour(({ arrivals }) => arrivals.length),
    reportsPerHour: perHour(({ reports }) => reports),
    clipsReported: own.filter(({ reports }) => reports > 0).length,
  }
}

/** Of what is heard in the live-fire recordings that were not trained on, how many were blasts by what the judge had said. */
function reliability(folder: string) {
  const judged = [...liveFire(folder, ['FP7', 'FP8'])].flatMap(source => {
    const { arrivals } = hear({ ...source, name: source.file, kind: 'live-fire', trained: false })
    return arrivals.flatMap(arrival => {
      const time = arrival.time - begin - surround
      const positive = source.blasts.some(blast => Math.abs(blast - time) < 0.04)
      const score = blastProbability([arrival], null)
      return score === null || !(positive || isQuiet(source, time)) ? [] : [{ score, positive, weight: 1 }]
    })
  })
  const bins = [0, 0.1, 0.3, 0.5, 0.7, 0.9].map((from, i, all) => {
    const to = all[i + 1] ?? 1.01
    const own = judged.filter(({ score }) => score >= from && score < to)
    const stated = own.reduce((sum, { score }) => sum + score, 0) / own.length
    return { from, to, count: own.length, stated, true: own.filter(({ positive }) => positive).length / own.length }
  })
  return { candidates: judged.length, area: areaUnderCurve(judged), bins }
}

function bench(data: string, liveFireFolder: string | undefined) {
  const urban = urbanSounds(data).map(hear)
  const { clips, leftOut } = otherSounds(data)
  const heard = [...urban, ...clips.map(hear)]
  return {
    urbanSound8K: Object.entries(scores).map(([by, score]) => ({ by, ...separation(urban, score) })),
    shipped: shipped(urban),
    kinds: [...new Set(heard.map(({ clip }) => clip.kind))].map(kind => rowOf(kind, heard)),
    leftOut,
    liveFire: liveFireFolder === undefined ? null : reliability(liveFireFolder),
  }
}

function* lines({ urbanSound8K, shipped: gate, kinds, leftOut, liveFire: live }: ReturnType<typeof bench>) {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`
  for (const { by, guns, others, area, onePerCent, none } of urbanSound8K) {
    yield `UrbanSound8K by ${by}: ${guns} gun clips, ${others} others, area under the curve ${area.toFixed(3)}`
    yield `  found ${percent(onePerCent.recall)} at 1 % false (above ${onePerCent.threshold.toFixed(3)}), ${percent(none.recall)} at none (above ${none.threshold.toFixed(3)})`
  }
  yield `as shipped a lone gateway reports ${percent(gate.recall)} of the gun clips and ${percent(gate.false)} of the others`
  yield ''
  yield 'kind                                        clips  minutes  candidates/h  reports/h  clips reported'
  for (const row of kinds) {
    yield [
      `${row.kind}${row.trained ? ' (trained on)' : ''}`.padEnd(42),
      String(row.clips).padStart(6),
      (row.seconds / 60).toFixed(1).padStart(8),
      row.candidatesPerHour.toFixed(0).padStart(13),
      row.reportsPerHour.toFixed(1).padStart(10),
      String(row.clipsReported).padStart(15),
    ].join(' ')
  }
  if (leftOut.length > 0) yield `left out for want of ffmpeg: ${leftOut.join(', ')}`
  if (live === null) return
  yield ''
  yield `live-fire FP7 and FP8, ${live.candidates} candidates, area under the curve ${live.area.toFixed(3)}; probability of a blast, stated and true`
  for (const bin of live.bins)
    yield `  ${bin.from.toFixed(1)} to ${Math.min(1, bin.to).toFixed(1)}: ${String(bin.count).padStart(4)} candidates, stated ${bin.stated.toFixed(2)}, true ${bin.true.toFixed(2)}`
}

const { values } = parseArgs({
  options: { data: { type: 'string' }, 'live-fire': { type: 'string' }, json: { type: 'boolean', default: false } },
})
if (values.data === undefined) {
  process.stderr.write('usage: bench-sounds.js --data DIR [--live-fire DIR] [--json]\n')
  process.exit(2)
}
const result = bench(values.data, values['live-fire'])
console.log(values.json ? JSON.stringify(result, null, 2) : [...lines(result)].join('\n'))
