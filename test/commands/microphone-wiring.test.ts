import { join } from 'node:path'
import { test } from 'tap'
import { loadArrayGeometry } from '../../drivers/device-files.js'
import { AlsaArray } from '../../drivers/microphone-array/alsa.js'
import type { ArrayGeometry } from '../../drivers/microphone-array/geometry.js'
import { SimulatedArray, type SimulatedWiring } from '../../drivers/microphone-array/simulator.js'
import { Ear } from '../../gateway/commands/ear.js'
import { frontOf, MicrophoneCheck } from '../../gateway/commands/microphone-check.js'
import { SensitivityMemory } from '../../gateway/commands/sensitivity-memory.js'
import { Parts } from '../../gateway/health/parts.js'
import { Random } from '../../scripts/simulator/random.js'
import { VirtualClock } from '../contracts/virtual-clock.js'
import { playingCard, soundOf } from '../drivers/simulated-card.js'

const sampleRate = 48_000
const speedOfSound = 340
const seconds = 12
const clapsAt = [1.1, 2.9, 4.7, 6.2, 8.4, 10.5]

/** Seconds by which each microphone hears a clap from there later than the first one could. */
function delaysOf({ microphones }: ArrayGeometry, azimuth: number, elevation: number): number[] {
  const [a, e] = [(azimuth * Math.PI) / 180, (elevation * Math.PI) / 180]
  return microphones.map(({ right, forward, up }) => {
    const towards = right * Math.cos(e) * Math.sin(a) + forward * Math.cos(e) * Math.cos(a) + up * Math.sin(e)
    return (1 - towards) / speedOfSound
  })
}

/**
 * The faults that a gateway names when a technician walks around an array and claps six times: the simulated array's sound goes
 * through the ALSA driver and the ear to the microphone watch, as that of a sound card does.
 */
async function namedFaults(geometry: ArrayGeometry, wiring: SimulatedWiring, random: Random): Promise<string[]> {
  const channels = geometry.microphones.length
  const impulses = clapsAt.map(at => ({
    at,
    level: random.between(0.2, 0.8),
    delays: delaysOf(geometry, random.between(0, 360), random.between(0, 25)),
  }))
  const seed = 1 + random.integer(1e9)
  const common = { name: 'roof', channels, sampleRate }
  const array = new SimulatedArray({ ...common, clock: new VirtualClock(), impulses, seed, wiring })
  const clock = new VirtualClock()
  const card = playingCard(await soundOf(array, seconds), channels, sampleRate, clock)
  const driver = new AlsaArray({ ...common, device: 'hw:CARD=Simulated,DEV=0', clock, openCapture: card })

  const told: string[] = []
  const parts = new Parts('sensing', clock, ({ part, fault, state, detail }) => {
    const other = /that of microphone (\d+)/.exec(detail)?.[1]
    told.push([part, fault, ...(other === undefined ? [] : [`with ${other}`]), state].join(' '))
  })
  const check = await MicrophoneCheck.of('roof', parts, geometry)
  const ear = new Ear({
    ...{ gateway: 'pole-1', part: 'roof', epoch: 'e', fullScaleLevel: null, direction: null },
    clock: () => ({ offset: 0, error: 0.001 }),
    impulse: snippet => check.impulse(frontOf(snippet)),
  })
  const controller = new AbortController()
  for await (const item of driver.readings(controller.signal)) {
    if (item.kind === 'state' && item.state !== 'ready') controller.abort()
    if (item.kind !== 'audio') continue
    check.hear(item)
    ear.take(item)
  }
  return told.sort()
}

function four(count: number, random: Random): [number, number, number, number] {
  const rest = Array.from({ length: count }, (_, channel) => channel)
  const draw = () => rest.splice(random.integer(rest.length), 1)[0] ?? 0
  return [draw(), draw(), draw(), draw()]
}

const raised = (channel: number, fault: string) => `roof microphone ${channel + 1} microphone-${fault} raised`
const exchanged = (channel: number, other: number) =>
  `roof microphone ${channel + 1} microphone-swapped with ${other + 1} raised`

test('an array played into the driver with two channels swapped, one reversed and one dead', async t => {
  const geometry = await loadArrayGeometry(
    join(process.cwd(), 'firmware-config/devices/microphone-arrays/circle-8.json'),
  )
  const trials = 20
  let right = 0
  for (let trial = 0; trial < trials; trial += 1) {
    const random = new Random(trial)
    const [one, other, reversed, dead] = four(geometry.microphones.length, random)
    const wiring = { swapped: [one, other], lines: { [reversed]: 'reversed', [dead]: 'dead' } } as const
    const expected = [exchanged(one, other), exchanged(other, one), raised(reversed, 'reversed'), raised(dead, 'dead')]
    const told = await namedFaults(geometry, wiring, random)
    if (t.same(told, expected.sort(), `trial ${trial}`)) right += 1
  }
  t.comment(`named correctly: ${right} of ${trials}`)

  await t.test('as it should be, gives no fault; with one stuck and one muffled, those two', async t => {
    for (let trial = 0; trial < 3; trial += 1) {
      const random = new Random(100 + trial)
      t.same(await namedFaults(geometry, {}, random), [])
      const [stuck, muffled] = four(geometry.microphones.length, random)
      const lines = { [stuck]: 'stuck', [muffled]: 'muffled' } as const
      t.same(
        await namedFaults(geometry, { lines }, random),
        [raised(stuck, 'stuck'), raised(muffled, 'muffled')].sort(),
      )
    }
  })
})

test('a microphone that grew deaf while the gateway was off is named, but not after another array was put up', async t => {
  const state = t.testdir({})
  const warn = (what: string) => t.fail(what)
  const geometry = await loadArrayGeometry('respeaker-4')
  const sampleRate = 8000
  const random = new Random(9)
  const noise = geometry.microphones.map(() =>
    Float32Array.from({ length: 2048 }, () => 0.02 * (2 * random.uniform() - 1)),
  )
  const told: string[] = []
  const parts = new Parts('sensing', new VirtualClock(), ({ part, fault, state: what }) => {
    told.push(`${part} ${fault} ${what}`)
  })
  // A second between two blocks is a window each; their samples are what the hour is counted by.
  const hours = async (kind: string, count: number, gain: number) => {
    const check = await MicrophoneCheck.of('roof', parts, geometry, new SensitivityMemory(state, 'roof', kind, warn))
    const channels = noise.map((samples, channel) => (channel === 1 ? samples.map(sample => gain * sample) : samples))
    for (let window = 0; window < count * 3600; window += 1)
      check.hear({ channels, firstSample: window * sampleRate, sampleRate })
  }
  await hours('respeaker-4', 5, 1)
  t.same(told, [])
  await hours('another', 1, 0.4)
  t.same(told, [], 'nothing is known of the other')
  await hours('respeaker-4', 1, 0.4)
  t.same(told, ['roof microphone 2 microphone-insensitive raised'])
})
