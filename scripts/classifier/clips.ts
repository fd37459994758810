import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Random } from '../simulator/random.js'
import { bandNoise } from '../simulator/waveform.js'
import { type Recording, readWave, waveOf } from './wave.js'

/** A recording that the judge is tried on, and what it is of. */
export interface Clip extends Recording {
  readonly name: string
  readonly kind: string
  /** Whether the judge was trained on it. */
  readonly trained: boolean
}

/** Noise before and after a clip, seconds. */
export const surround = 1
/** Root mean square of what every microphone adds, full scale 1: no recording is digitally silent. */
const selfNoise = 1e-4

/** The clips of UrbanSound8K in `us8k` of a folder, by its manifest. None was trained on. */
export function urbanSounds(folder: string): Clip[] {
  const [, ...lines] = readFileSync(join(folder, 'us8k', 'manifest.csv'), 'utf8')
    .trim()
    .split('\n')
  return lines.map(line => {
    const [file, kind] = line.split(',')
    return { ...readWave(join(folder, 'us8k', file!)), name: file!, kind: kind!, trained: false }
  })
}

const otherFolders = ['ambience', 'thunder', 'door', 'hammer', 'array']

/** What lies in the other folders; Ogg files need `ffmpeg` on the path, and those that cannot be read are named. */
export function otherSounds(folder: string): { readonly clips: Clip[]; readonly leftOut: string[] } {
  const clips: Clip[] = []
  const leftOut: string[] = []
  for (const kind of otherFolders.filter(each => existsSync(join(folder, each)))) {
    for (const file of readdirSync(join(folder, kind)).sort()) {
      if (!/\.(wav|ogg)$/.test(file)) continue
      const name = `${kind}/${file}`
      const recording = file.endsWith('.wav') ? readWave(join(folder, name)) : readOgg(join(folder, name))
      if (recording === null) leftOut.push(name)
      else {
        const trained = kind === 'ambience' && file.startsWith('max_')
        clips.push({ ...recording, name, kind: kind === 'array' ? 'array/speech' : name, trained })
      }
    }
  }
  return { clips, leftOut }
}

function readOgg(file: string): Recording | null {
  try {
    const options = ['-v', 'error', '-i', file, '-ac', '1', '-ar', '48000', '-c:a', 'pcm_s16le', '-f', 'wav', '-']
    return waveOf(execFileSync('ffmpeg', options, { maxBuffer: 2 ** 28 }), file)
  } catch {
    return null
  }
}

/**
 * A clip as a gateway hears it. Before and after it lies noise that is as loud as the clip's own quietest tenth, of any class: a
 * clip that begins with the shot is no easier or harder than one that does not.
 */
export function streamOf({ name, samples, sampleRate }: Pick<Clip, 'name' | 'samples' | 'sampleRate'>): Float32Array {
  const count = Math.round(surround * sampleRate)
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
