/*
 * Measures what a gateway costs this machine, in temporary folders that it removes: the time from the start of `polewatch sensing`
 * to its first block of sound, its memory with eight simulated microphones at 48 kHz, the memory of the three
 * roles of `polewatch run` with a simulated camera, and the CPU that eight channels of quiet noise take, watched for broken microphones. What
 * making the noise takes is measured by itself and taken off. Beside the simulated array there is one whose sound card cannot be
 * opened, so that the library for sound cards is loaded and asked as on a unit.
 * `npm run bench:sensing [-- --json] [-- --seconds N]`. Exit status 1 where a figure misses its target.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { editConfiguration } from '../gateway/config/edit.js'
import { roleEnvironment } from '../gateway/health/role-environment.js'
import { ExchangeReader } from '../gateway/journal/exchange.js'
import { createSigningKey, publicKeyPem } from '../gateway/messages/keys.js'

const targets = { startSeconds: 3, sensingMegabytes: 120, allMegabytes: 350, idleCpuShare: 0.05 }
const [channels, sampleRate] = [8, 48_000]
const array = { name: 'roof', geometry: 'circle-8' }
const simulated = { ...array, driver: 'simulator', sampleRate }
const sought = { name: 'mast', driver: 'alsa', device: 'hw:,0', geometry: 'mono' }
/** Kernel ticks a second in /proc/PID/stat; the same on all kernels that Node.js 20 runs on. */
const ticks = 100
/** What a role does once after its start is over by then, seconds. */
const settling = 20

const root = fileURLToPath(new URL('../../', import.meta.url))
const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, seconds: { type: 'string', default: '30' } },
})
const seconds = Number(values.seconds)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
if (!(seconds >= 1)) throw new RangeError('--seconds is at least 1')

function configuration(folder: string, cameras: readonly object[] = []): string {
  writeFileSync(join(folder, 'hub.pub'), publicKeyPem(createSigningKey().publicKey))
  mkdirSync(join(folder, 'run'))
  const example = readFileSync(join(root, 'firmware-config/polewatch.example.yaml'), 'utf8')
  const file = join(folder, 'gateway.yaml')
  writeFileSync(
    file,
    editConfiguration(example, [
      { path: ['exercise'], value: true },
      { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
      { path: ['microphoneArrays'], value: [simulated, sought] },
      { path: ['plateReaders'], value: [] },
      { path: ['cameras'], value: cameras },
      { path: ['uplink', 'brokers'], value: ['mqtt://127.0.0.1:1'] },
      { path: ['uplink', 'tls'], value: undefined },
      { path: ['uplink', 'hubKey'], value: join(folder, 'hub.pub') },
    ]),
  )
  return file
}

const healthOfParts = z.array(z.object({ part: z.string(), state: z.string(), since: z.iso.datetime() }))

/** A command of the gateway, and how long after its start its array has delivered. @throws Error when it ends before that */
async function begin(command: string, file: string): Promise<{ child: ChildProcess; startSeconds: number }> {
  const began = Date.now()
  const child = spawn(process.execPath, [join(root, 'dist/gateway/main.js'), command, '--config', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...roleEnvironment[command], ...process.env },
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = `${said}${chunk.toString()}`.slice(-2000)
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const exchange = new ExchangeReader(join(dirname(file), 'run', 'sensing.exchange.db'))
  try {
    while (child.exitCode === null && child.signalCode === null) {
      const parts = healthOfParts.parse(JSON.parse(exchange.get('health')?.body.toString() ?? '[]'))
      const heard = parts.find(({ part, state }) => part === array.name && state === 'ready')
      if (heard !== undefined) return { child, startSeconds: (Date.parse(heard.since) - began) / 1000 }
      await pause(100)
    }
  } finally {
    exchange.close()
  }
  throw new Error(`polewatch ${command} has ended: ${said}`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGTERM')
  await closed
}

function processTree(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number)
  return [pid, ...children.flatMap(processTree)]
}

/** Proportional set size of a process, megabytes. */
function memoryOf(pid: number): number {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]) / 1024
}

/** CPU time used so far, seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticks
}

async function withFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-bench-'))
  const clean = () => rmSync(folder, { recursive: true, force: true })
  process.once('exit', clean)
  const result = await work(folder)
  clean()
  return result
}

/** Share of a core that a process takes once it has settled. */
async function cpuShareOf(pid: number): Promise<number> {
  await pause(settling * 1000)
  const [before, began] = [cpuOf(pid), performance.now()]
  await pause(seconds * 1000)
  return (cpuOf(pid) - before) / ((performance.now() - began) / 1000)
}

function measureSensing() {
  return withFolder(async folder => {
    const { child, startSeconds } = await begin('sensing', configuration(folder))
    try {
      const pid = child.pid ?? 0
      const cpuShare = await cpuShareOf(pid)
      if (!readFileSync(`/proc/${pid}/maps`, 'utf8').includes('node-av')) throw new Error('node-av has not been loaded')
      return { startSeconds, megabytes: memoryOf(pid), cpuShare }
    } finally {
      await end(child)
    }
  })
}

/** What making the noise takes. */
async function measureSimulator(): Promise<number> {
  const program = `
    import { SimulatedArray } from '${join(root, 'dist/drivers/microphone-array/simulator.js')}'
    import { systemClock } from '${join(root, 'dist/drivers/system-clock.js')}'
    const array = new SimulatedArray({ name: 'roof', channels: ${channels}, sampleRate: ${sampleRate}, clock: systemClock })
    for await (const _ of array.readings(new AbortController().signal));`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'ignore' })
  process.once('exit', () => child.kill('SIGKILL'))
  const share = await cpuShareOf(child.pid ?? 0)
  await end(child)
  return share
}

function roleOf(pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[2] ?? ''
}

function measureAll() {
  const camera = { name: 'street', driver: 'simulator', interval: 5, plates: ['KLM4827'] }
  return withFolder(async folder => {
    const { child } = await begin('run', configuration(folder, [camera]))
    try {
      await pause(settling * 1000)
      // The supervisor of `polewatch run` is no role, and no unit has it: there systemd starts them.
      const [supervisor = 0, ...roles] = processTree(child.pid ?? 0)
      const shares = roles.map(pid => `${roleOf(pid)} ${Math.round(memoryOf(pid))}`)
      return {
        megabytes: roles.reduce((sum, pid) => sum + memoryOf(pid), 0),
        shares: `${shares.join(', ')}; the supervisor ${Math.round(memoryOf(supervisor))} more`,
      }
    } finally {
      await end(child)
    }
  })
}

const sensing = await measureSensing()
const simulatorShare = await measureSimulator()
const all = await measureAll()
const figures = {
  startSeconds: Number(sensing.startSeconds.toFixed(2)),
  sensingMegabytes: Math.round(sensing.megabytes),
  allMegabytes: Math.round(all.megabytes),
  idleCpuShare: Number((sensing.cpuShare - simulatorShare).toFixed(4)),
  simulatorCpuShare: Number(simulatorShare.toFixed(4)),
}
const missed = [
  figures.startSeconds >= targets.startSeconds && 'startSeconds',
  figures.sensingMegabytes >= targets.sensingMegabytes && 'sensingMegabytes',
  figures.allMegabytes >= targets.allMegabytes && 'allMegabytes',
  figures.idleCpuShare >= targets.idleCpuShare && 'idleCpuShare',
].filter(name => name !== false)
if (values.json) process.stdout.write(`${JSON.stringify({ ...figures, targets, missed })}\n`)
else {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  process.stdout.write(
    [
      `start to first block of sound  ${figures.startSeconds} s (target < ${targets.startSeconds} s)`,
      `memory of sensing (PSS)        ${figures.sensingMegabytes} MB (target < ${targets.sensingMegabytes} MB)`,
      `memory of all, with a camera   ${figures.allMegabytes} MB (target < ${targets.allMegabytes} MB): ${all.shares}`,
      `idle CPU, 8 channels, 48 kHz   ${percent(figures.idleCpuShare)} of a core (target < ${percent(targets.idleCpuShare)}); making its noise took ${percent(figures.simulatorCpuShare)} more`,
      missed.length === 0 ? 'Every figure meets its target.' : `Missed: ${missed.join(', ')}`,
      '',
    ].join('\n'),
  )
}
process.exitCode = missed.length === 0 ? 0 : 1
