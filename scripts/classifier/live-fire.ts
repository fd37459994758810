import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { type Recording, readWave } from './wave.js'

/** FP7 and FP8 are kept for evaluation. */
const trainingPositions = ['FP1', 'FP2', 'FP4']

const pulses = z.array(z.object({ pulse_uuid: z.string(), serial_number: z.string(), arrival_time_utc: z.string() }))
const tuples = z.array(z.object({ pulse_uuids: z.array(z.string()) }))
const recordingNote = z.object({ serial_number: z.string(), timestamp: z.string() })

/** One sensor's recording of one test: when in it the vendor heard blasts, and up to and from when there surely were none, seconds. */
export interface LiveFireRecording extends Recording {
  readonly position: string
  readonly file: string
  readonly blasts: readonly number[]
  readonly quietUntil: number
  readonly quietFrom: number
}

export function* liveFire(
  folder: string,
  positions: readonly string[] = trainingPositions,
): Generator<LiveFireRecording> {
  const json = (file: string): unknown => JSON.parse(readFileSync(file, 'utf8'))
  for (const position of positions) {
    for (const test of readdirSync(join(folder, position)).sort()) {
      const path = (name: string): string => join(folder, position, test, `${test}.${name}`)
      const all = new Map(pulses.parse(json(path('allpulses.json'))).map(pulse => [pulse.pulse_uuid, pulse]))
      const shots = tuples
        .parse(json(path('nlos-tuples.json')))
        .flatMap(({ pulse_uuids }) => pulse_uuids.flatMap(id => all.get(id) ?? []))
      const times = shots.map(({ arrival_time_utc }) => Date.parse(arrival_time_utc) / 1000)
      for (const name of readdirSync(join(folder, position, test)).sort()) {
        if (!name.endsWith('.wav')) continue
        const file = join(folder, position, test, name)
        const { serial_number, timestamp } = recordingNote.parse(json(file.replace(/wav$/, 'json')))
        const start = Date.parse(timestamp) / 1000
        const blasts = shots.flatMap((shot, i) => (shot.serial_number === serial_number ? [times[i]! - start] : []))
        yield {
          ...readWave(file),
          ...{ position, file, blasts: blasts.sort((a, b) => a - b) },
          quietUntil: Math.min(...times) - start - 0.25,
          quietFrom: Math.max(...times) - start + 3,
        }
      }
    }
  }
}

/** Whether there was no gunshot at that second of a recording, nor an echo of one. */
export function isQuiet({ quietUntil, quietFrom }: LiveFireRecording, seconds: number): boolean {
  return seconds < quietUntil || seconds > quietFrom
}
