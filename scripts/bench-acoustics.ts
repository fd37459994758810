import type { Arrival } from '../gateway/acoustics/arrival.js'
import { ArrayListener } from '../gateway/acoustics/listener.js'
import { locateShots } from '../gateway/acoustics/locate.js'
import { practiceBursts, practise } from '../gateway/acoustics/practice.js'
import { trials } from './simulator/arrivals.js'
import { Random } from './simulator/random.js'

/*
 * What hearing costs: listening with eight channels at 48 kHz to a quiet and to a busy street, locating a burst of three
 * rounds over twelve gateways, and memory over a simulated week of arrivals.
 *
 *   node dist/scripts/bench-acoustics.js [--json]
 */

const sampleRate = 48_000
const channelCount = 8
const seconds = 20
const blockSamples = 4_800

/** Seconds of noise with so many impulses a second, a ring of blocks to be heard over and over. */
function street(impulses: number): Float32Array[] {
  const random = new Random(7)
  const length = 5 * sampleRate
  const at = Array.from({ length: 5 * impulses }, () => random.integer(length))
  return Array.from({ length: channelCount }, () => {
    const samples = Float32Array.from({ length }, () => random.normal(0, 0.002))
    for (const onset of at)
      for (let i = 0; i < 0.02 * sampleRate && onset + i < length; i++)
        samples[onset + i]! += 0.3 * Math.exp(-i / (0.004 * sampleRate)) * random.normal(0, 1)
    return samples
  })
}

/** CPU seconds, of all threads, that a task takes. */
function cpuOf(task: () => void): number {
  const before = process.cpuUsage()
  task()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}

function listening(impulses: number): { cpu: number; arrivals: number } {
  const sound = street(impulses)
  const listener = new ArrayListener({ gateway: 'pole-1', epoch: 'bench', sampleRate, channels: channelCount })
  let position = 0
  let arrivals = 0
  const hear = (duration: number) => {
    const until = position + duration * sampleRate
    for (; position < until; position += blockSamples) {
      const from = position % sound[0]!.length
      const block = sound.map(channel => channel.subarray(from, from + blockSamples))
      arrivals += listener.push(block, position, index => ({ utc: index / sampleRate, error: 1e-4 })).length
    }
  }
  hear(5)
  arrivals = 0
  const cpu = cpuOf(() => hear(seconds)) / seconds
  return { cpu, arrivals: arrivals / seconds }
}

/**
 * Milliseconds of CPU, of all threads, for bursts that the locator meets for the first time, from the first one on, after it
 * has practised as the sensing role does when it starts; that, and the same scene again, are measured apart.
 */
function locating(): { practice: number; median: number; p90: number; worst: number; again: number; shots: number } {
  const settings = { gateways: 12, rounds: 3, geometry: 'inside' } as const
  let practised = 0
  const practice =
    1000 *
    cpuOf(() => {
      for (let burst = 0; burst < practiceBursts; burst++) practised += practise(locateShots, burst)
    })
  if (practised === 0) throw new Error('nothing was located in practice')
  const scenes = [...trials(3, 100, settings)]
  let shots = 0
  let again = 0
  const costs = scenes.map(scene => {
    const cost =
      1000 *
      cpuOf(() => {
        shots += locateShots(scene).length
      })
    again += (1000 * cpuOf(() => locateShots(scene))) / scenes.length
    return cost
  })
  costs.sort((a, b) => a - b)
  const at = (share: number) => costs[Math.floor(share * (costs.length - 1))]!
  return { practice, median: at(0.5), p90: at(0.9), worst: at(1), again, shots: shots / scenes.length }
}

/** Megabytes of heap after each day of a week: twelve gateways, an arrival every two seconds each, pools of 20 seconds. */
function week(): number[] {
  const random = new Random(11)
  const [scene] = [...trials(5, 1, { gateways: 12 })]
  const gateways = [...scene!.places.keys()]
  const heap: number[] = []
  let pool: Arrival[] = []
  let number = 0
  for (let day = 0; day < 7; day++) {
    // A day is told by one minute in sixty: what leaks does so per arrival, not per second.
    for (let second = 0; second < 86_400 / 60; second++) {
      const now = 1_700_000_000 + day * 86_400 + second
      for (const gateway of gateways) {
        if (!random.chance(0.5)) continue
        pool.push({
          id: `${gateway}/bench/${number++}`,
          gateway,
          time: now + random.between(0, 1),
          timeError: 0.001,
          salience: 3 + random.exponential(2),
          soundLevel: 80 + random.normal(0, 5),
          bearing: null,
          gunProbability: null,
        })
      }
      pool = pool.filter(({ time }) => time > now - 20)
      locateShots({ ...scene!, arrivals: pool, heardUntil: new Map(gateways.map(gateway => [gateway, now])) })
    }
    globalThis.gc?.()
    heap.push(process.memoryUsage().heapUsed / 2 ** 20)
  }
  return heap
}

const quiet = listening(0)
const busy = listening(4)
const burst = locating()
const heap = week()
const result = { sampleRate, channels: channelCount, quiet, busy, burst, heapMegabytes: heap }
if (process.argv.includes('--json')) console.log(JSON.stringify(result))
else {
  console.log(`listening, ${channelCount} channels at ${sampleRate / 1000} kHz, CPU seconds a second`)
  console.log(
    `  quiet  ${quiet.cpu.toFixed(4)}  (${quiet.arrivals.toFixed(1)} arrivals a second; at most 0.02 is wanted)`,
  )
  console.log(
    `  busy   ${busy.cpu.toFixed(4)}  (${busy.arrivals.toFixed(1)} arrivals a second; at most 0.04 is wanted)`,
  )
  console.log('locating three rounds over 12 gateways, milliseconds of CPU (under 50 is wanted)')
  console.log(
    `  median ${burst.median.toFixed(1)}  p90 ${burst.p90.toFixed(1)}  worst ${burst.worst.toFixed(1)}  the same again, mean ${burst.again.toFixed(1)}  practice at the start ${burst.practice.toFixed(0)}`,
  )
  console.log(`heap after each day of a simulated week, MB: ${heap.map(megabytes => megabytes.toFixed(1)).join('  ')}`)
}
