import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { ImpulseJudge } from '../../gateway/acoustics/classifier.js'
import { ArrayListener } from '../../gateway/acoustics/listener.js'
import { Random } from '../simulator/random.js'
import { bandNoise } from '../simulator/waveform.js'
import { areaUnderCurve } from './fit.js'
import { isQuiet, liveFire } from './live-fire.js'
import { type Recording, readWave } from './wave.js'

/*
 * Hears recordings through the whole pipeline of one gateway, listener and judge:
 *   node dist/scripts/classifier/evaluate.js --sounds DIR [--live-fire DIR] [--json]
 * None of UrbanSound8K, FP7 and FP8 was trained on; of the other folders some files were, and they are marked.
 */

export interface Clip extends Recording {
  readonly name: string
  readonly kind: string
  readonly trained: boolean
}

export interface Heard {
  readonly clip: Clip
  /** Probability of each candidate that it is a gun, and that it is a blast of any kind. */
  readonly candidates: readonly { readonly time: number; readonly gun: number; readonly blast: number }[]
  readonly seconds: number
}

const lead = 1
/** Root mean square of what every microphone adds, full scale 1: no recording is digitally silent. */
const selfNoise = 1e-4

/**
 * Lets a gateway hear a clip. Before it lies a second of noise that is as loud as the clip's own quietest tenth, of any
 * class: a clip that begins with the shot is no easier or harder than one that does not.
 */
export function hear(clip: Clip): Heard {
  const { sampleRate, samples } = clip
  const stream = streamOf(clip)
  const listener = new ArrayListener({ gateway: 'evaluation', epoch: 'evaluation', sampleRate, channels: 1 })
  const judge = new ImpulseJudge(sampleRate)
  const clock = (sample: number) => ({ utc: sample / sampleRate, error: 0 })
  const arrivals = [...listener.push([stream], 0, clock), ...listener.flush()]
  const candidates = arrivals.flatMap(({ time }) => {
    const judgement = judge.judge(stream, time * sampleRate)
    if (judgement === null || time < lead - 0.05 || time > lead + samples.length / sampleRate) return []
    return [{ time: time - lead, gun: judgement.gun, blast: judgement.gun + judgement.firework }]
  })
  return { clip, candidates, seconds: samples.length / sampleRate }
}

export function streamOf({ name, samples, sampleRate }: Pick<Clip, 'name' | 'samples' | 'sampleRate'>): Float32Array {
  const count = Math.round(lead * sampleRate)
  const random = new Random(1).fork(name)
  const noise = bandNoise(random, count, sampleRate, 100, 0.35 * sampleRate)
  const level = quietestTenth({ samples, sampleRate })
  const stream = new Float32Array(2 * count + samples.length)
  for (let i = 0; i < count; i++) {
    stream[i] = level * noise[i]!
    stream[count + samples.length + i] = level * noise[count - 1 - i]!
  }
  stream.set(samples, count)
  for (let i = 0; i < stream.length; i++) stream[i]! += selfNoise * random.normal()
  return stream
}

function quietestTenth({ samples, sampleRate }: Recording): number {
  const frame = Math.round(0.01 * sampleRate)
  const powers: number[] = []
  for (let start = 0; start + frame <= samples.length; start += frame) {
    let sum = 0
    for (let i = start; i < start + frame; i++) sum += samples[i]! ** 2
    powers.push(sum / frame)
  }
  powers.sort((a, b) => a - b)
  return Math.sqrt(powers[Math.floor(0.1 * powers.length)] ?? 0)
}

export interface Separation {
  readonly guns: number
  readonly others: number
  readonly area: number
  readonly recallAtOnePerCent: number
  readonly recallAtNone: number
}

/** How well the best candidate of each clip tells clips with guns from those without. */
export function separation(heard: readonly Heard[], by: 'gun' | 'blast'): Separation {
  const scored = heard.map(({ clip, candidates }) => ({
    positive: clip.kind === 'gun_shot',
    weight: 1,
    score: candidates.reduce((best, candidate) => Math.max(best, candidate[by]), 0),
  }))
  const others = scored
    .filter(({ positive }) => !positive)
    .map(({ score }) => score)
    .sort((a, b) => b - a)
  const guns = scored.filter(({ positive }) => positive)
  const recall = (allowed: number): number =>
    guns.filter(({ score }) => score > (others[allowed] ?? 0)).length / guns.length
  return {
    guns: guns.length,
    others: others.length,
    area: areaUnderCurve(scored),
    recallAtOnePerCent: recall(Math.floor(0.01 * others.length)),
    recallAtNone: recall(0),
  }
}

export interface KindRow {
  readonly kind: string
  readonly clips: number
  readonly seconds: number
  readonly candidatesPerHour: number
  readonly likelyPerHour: number
  readonly surePerHour: number
  readonly clipsLikely: number
}

export function rowsOf(heard: readonly Heard[]): KindRow[] {
  return [...new Set(heard.map(({ clip }) => clip.kind))].map(kind => {
    const own = heard.filter(({ clip }) => clip.kind === kind)
    const seconds = own.reduce((sum, clip) => sum + clip.seconds, 0)
    const perHour = (from: number): number =>
      (3600 * own.reduce((sum, { candidates }) => sum + candidates.filter(({ gun }) => gun >= from).length, 0)) /
      seconds
    const clipsLikely = own.filter(({ candidates }) => candidates.some(({ gun }) => gun >= 0.5)).length
    return {
      kind,
      clips: own.length,
      seconds,
      candidatesPerHour: perHour(0),
      likelyPerHour: perHour(0.5),
      surePerHour: perHour(0.9),
      clipsLikely,
    }
  })
}

function urbanSounds(folder: string): Clip[] {
  const [, ...lines] = readFileSync(join(folder, 'us8k', 'manifest.csv'), 'utf8')
    .trim()
    .split('\n')
  return lines.map(line => {
    const [file, kind] = line.split(',')
    return { ...readWave(join(folder, 'us8k', file!)), name: file!, kind: kind!, trained: false }
  })
}

function otherSounds(folder: string): Clip[] {
  return ['ambience', 'thunder', 'door', 'hammer', 'array'].flatMap(kind =>
    (existsSync(join(folder, kind)) ? readdirSync(join(folder, kind)).sort() : [])
      .filter(name => name.endsWith('.wav'))
      .map(name => ({
        ...readWave(join(folder, kind, name)),
        name: `${kind}/${name}`,
        kind: `${kind}/${kind === 'array' ? 'speech' : name}`,
        trained: kind === 'ambience' && name.startsWith('max_'),
      })),
  )
}

interface Calibration {
  readonly from: number
  readonly to: number
  readonly count: number
  readonly mean: number
  readonly share: number
}

/** Of candidates with a given probability, how many were guns: sensors of the live-fire tests kept for evaluation. */
function liveFireCandidates(folder: string): { gun: number; blast: number; isGun: boolean; position: string }[] {
  return [...liveFire(folder, ['FP7', 'FP8'])].flatMap(source => {
    const heard = hear({ ...source, name: source.file, kind: 'live-fire', trained: false })
    return heard.candidates.flatMap(({ time, gun, blast }) => {
      const isGun = source.blasts.some(blast => Math.abs(blast - time) < 0.04)
      const isOther = isQuiet(source, time)
      return isGun || isOther ? [{ gun, blast, isGun, position: source.position }] : []
    })
  })
}

function calibrationOf(candidates: readonly { readonly gun: number; readonly isGun: boolean }[]): Calibration[] {
  return [0, 0.1, 0.3, 0.5, 0.7, 0.9].map((from, i, all) => {
    const to = all[i + 1] ?? 1.01
    const own = candidates.filter(({ gun }) => gun >= from && gun < to)
    const mean = own.reduce((sum, { gun }) => sum + gun, 0) / own.length
    return { from, to, count: own.length, mean, share: own.filter(({ isGun }) => isGun).length / own.length }
  })
}

function main(): void {
  const { values } = parseArgs({
    options: { sounds: { type: 'string' }, 'live-fire': { type: 'string' }, json: { type: 'boolean', default: false } },
  })
  if (values.sounds === undefined) {
    process.stderr.write('usage: evaluate.js --sounds DIR [--live-fire DIR] [--json]\n')
    process.exit(2)
  }
  const urban = urbanSounds(values.sounds).map(hear)
  const others = otherSounds(values.sounds).map(hear)
  const clips = { gun: separation(urban, 'gun'), blast: separation(urban, 'blast') }
  const live = values['live-fire'] === undefined ? [] : liveFireCandidates(values['live-fire'])
  const liveArea = areaUnderCurve(live.map(({ gun, isGun }) => ({ score: gun, positive: isGun, weight: 1 })))
  const kinds = rowsOf([...urban, ...others])
  const trained = others.filter(({ clip }) => clip.trained).map(({ clip }) => clip.kind)
  const result = {
    urbanSound8K: clips,
    kinds,
    trained,
    liveFire: { candidates: live.length, area: liveArea, calibration: calibrationOf(live) },
  }
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : table(result))
}

function table({
  urbanSound8K,
  kinds,
  trained,
  liveFire,
}: {
  urbanSound8K: Record<string, Separation>
  kinds: KindRow[]
  trained: string[]
  liveFire: { candidates: number; area: number; calibration: Calibration[] }
}): string {
  const percent = (share: number): string => `${(100 * share).toFixed(0)} %`
  const lines = Object.entries(urbanSound8K).map(
    ([by, { guns, others, area, recallAtOnePerCent, recallAtNone }]) =>
      `UrbanSound8K by ${by}: ${guns} gun clips, ${others} others, area under the curve ${area.toFixed(3)}, found ${percent(recallAtOnePerCent)} at 1 % false and ${percent(recallAtNone)} at none`,
  )
  lines.push('', 'kind                               clips  minutes  candidates/h  gun>=0.5/h  gun>=0.9/h  clips>=0.5')
  for (const row of kinds) {
    lines.push(
      [
        `${row.kind}${trained.includes(row.kind) ? ' (trained on)' : ''}`.padEnd(34),
        String(row.clips).padStart(6),
        (row.seconds / 60).toFixed(1).padStart(8),
        row.candidatesPerHour.toFixed(0).padStart(13),
        row.likelyPerHour.toFixed(0).padStart(11),
        row.surePerHour.toFixed(0).padStart(11),
        String(row.clipsLikely).padStart(11),
      ].join(' '),
    )
  }
  if (liveFire.candidates > 0) {
    lines.push(
      '',
      `live-fire FP7 and FP8, ${liveFire.candidates} candidates: area under the curve ${liveFire.area.toFixed(3)}`,
    )
    for (const { from, to, count, mean, share } of liveFire.calibration) {
      lines.push(
        `  probability ${from.toFixed(1)} to ${Math.min(1, to).toFixed(1)}: ${count} candidates, mean ${mean.toFixed(2)}, guns ${share.toFixed(2)}`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

if (process.argv[1]?.endsWith('evaluate.js')) main()
