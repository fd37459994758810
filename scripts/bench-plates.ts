/*
 * Measures the hotlist over synthetic entries, in a temporary folder that it removes: import, exact, look-alike and one-edit
 * look-up, and the way of a plate from the last byte on the serial line to the committed hit.
 * `npm run bench:plates [-- --json] [-- --entries N]`; needs socat. Exit status 1 where a figure misses its target.
 */
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { Hotlist } from '../gateway/hotlist/hotlist.js'
import { importHotlist } from '../gateway/hotlist/import.js'
import { defaultMatchRules, matchRead } from '../gateway/plates/match.js'
import { benchSerial, type SerialFigures } from './hotlist/bench-serial.js'

const states = ['PA', 'NY', 'OH', 'NJ', 'MD', 'WV', 'VA', 'DE']
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'
const lookUps = 50_000
const now = Math.floor(Date.now() / 1000)
const serialReads = 1500
const oneEditEvery = 100

const percentiles = z.object({ p50: z.number(), p99: z.number(), worst: z.number(), perSecond: z.number() })
const looked = z.object({
  exactListed: percentiles,
  exactUnlisted: percentiles,
  lookAlike: percentiles,
  oneEdit: percentiles,
  residentMegabytes: z.number(),
  /** Share of plates that are not listed and still match at all, by what is known of them. */
  falseShare: z.object({ withState: z.number(), withoutState: z.number() }),
})

// A small generator with a seed (xorshift), so that every run has the same plates.
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

function plate(random: (below: number) => number): string {
  const letter = () => letters.charAt(random(26))
  const number = String(random(10_000)).padStart(4, '0')
  return `${letter()}${letter()}${letter()}${number}`
}

function writeList(path: string, entries: number): void {
  const random = randomFrom(20_260_101)
  const file = openSync(path, 'w')
  let piece = 'plate,state,purpose,expires,id,one-edit\n'
  for (let entry = 1; entry <= entries; entry++) {
    const asks = entry % oneEditEvery === 0 && entry <= 1_000_000 ? 'yes' : ''
    const state = states[random(states.length)]
    piece += `${plate(random)},${state},stolen,2099-12-31,C-${entry},${asks}\n`
    if (piece.length > 1_000_000) {
      writeSync(file, piece)
      piece = ''
    }
  }
  writeSync(file, piece)
  closeSync(file)
}

/** The first plates of the list, made again by the generator that wrote it. */
function firstListed(count: number): string[] {
  const random = randomFrom(20_260_101)
  return Array.from({ length: count }, () => {
    random(states.length)
    return plate(random)
  })
}

function measure(count: number, one: (index: number) => void): z.infer<typeof percentiles> {
  const times = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    const start = process.hrtime.bigint()
    one(index)
    times[index] = Number(process.hrtime.bigint() - start) / 1e6
  }
  const total = times.reduce((sum, time) => sum + time, 0)
  times.sort()
  const at = (share: number) => Number((times[Math.min(count - 1, Math.floor(count * share))] ?? 0).toFixed(4))
  return { p50: at(0.5), p99: at(0.99), worst: at(1), perSecond: Math.round((count / total) * 1000) }
}

function lookUp(directory: string, entries: number): z.infer<typeof looked> {
  const hotlist = Hotlist.open(directory, 'bench')
  const listed = firstListed(Math.min(lookUps, entries))
  const other = randomFrom(7)
  const unlisted = Array.from({ length: lookUps }, () => plate(other))
  const swap = (text: string) => text.replace(/[08]/, sign => (sign === '0' ? 'O' : 'B'))
  const change = (text: string) => `${text.slice(0, 2)}${text.slice(3)}`
  const of = (texts: readonly string[], index: number) => texts[index % texts.length] ?? ''

  for (const text of listed) {
    if (hotlist.find(text, now).candidates[0]?.text !== text) throw new Error('A listed plate is not found.')
  }
  const exactListed = measure(lookUps, index => hotlist.find(of(listed, index), now))
  const exactUnlisted = measure(lookUps, index => hotlist.find(of(unlisted, index), now))
  const lookAlike = measure(lookUps, index => hotlist.find(swap(of(listed, index)), now))
  const oneEdit = measure(lookUps / 5, index => hotlist.findOneEdit(change(of(listed, index)), now))

  let withState = 0
  let withoutState = 0
  for (const text of unlisted) {
    const answer = hotlist.find(text, now)
    const read = { text, confidence: 0.95, agreeingReaders: 1, statesDiffer: false, time: now }
    if (matchRead({ ...read, state: 'PA' }, answer, defaultMatchRules).matches.length > 0) withState++
    if (matchRead({ ...read, state: null }, answer, defaultMatchRules).matches.length > 0) withoutState++
  }
  const resident = /VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  hotlist.close()
  return {
    exactListed,
    exactUnlisted,
    lookAlike,
    oneEdit,
    residentMegabytes: Math.round(Number(resident) / 1024),
    falseShare: { withState: withState / lookUps, withoutState: withoutState / lookUps },
  }
}

async function run(entries: number, json: boolean): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'polewatch-bench-'))
  const directory = join(state, 'hotlist')
  mkdirSync(directory)
  const clean = () => rmSync(state, { recursive: true, force: true })
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      clean()
      process.exit(1)
    })
  }
  try {
    const source = join(state, 'list.csv')
    const say = (text: string) => (process.stderr.isTTY ? process.stderr.write(`\r\u001b[K${text}`) : undefined)
    say(`writing ${entries} synthetic entries`)
    writeList(source, entries)
    const seconds: Record<string, number> = {}
    let stage = ''
    let since = performance.now()
    const began = since
    const cpu = process.cpuUsage()
    const result = await importHotlist({
      listName: 'bench',
      directory,
      source,
      mapping: 'plain',
      now,
      onProgress: progress => {
        say(`${progress.stage} ${progress.accepted}`)
        if (progress.stage === stage) return
        const at = performance.now()
        if (stage !== '') seconds[stage] = Number(((at - since) / 1000).toFixed(2))
        stage = progress.stage
        since = at
      },
    })
    const total = (performance.now() - began) / 1000
    const used = process.cpuUsage(cpu)
    const file = readdirSync(join(directory, 'bench')).find(name => name.startsWith('generation-')) ?? ''
    const importing = {
      seconds: Number(total.toFixed(2)),
      cpuSeconds: Number(((used.user + used.system) / 1e6).toFixed(2)),
      stages: seconds,
      accepted: result.accepted,
      refused: result.refusedCount,
      warnings: result.warnings.length,
      sourceMegabytes: Math.round(statSync(source).size / 1e6),
      fileMegabytes: Math.round(statSync(join(directory, 'bench', file)).size / 1e6),
      residentMegabytes: Math.round(process.resourceUsage().maxRSS / 1024),
    }
    // A process of its own, so that its memory is that of matching and not of the import.
    const child = spawnSync(
      process.execPath,
      [fileURLToPath(import.meta.url), '--look-up', directory, '--entries', String(entries)],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    if (child.status !== 0) throw new Error('The look-up process failed.')
    const lookUpFigures = looked.parse(JSON.parse(child.stdout))
    rmSync(source)
    say('reading plates from a serial line')
    const reads = [...new Set(firstListed(Math.min(serialReads, entries)))]
    const serial = await benchSerial(state, 'bench', reads)
    say('')
    const measured = { entries, import: importing, lookUp: lookUpFigures, serial }
    const missed = targets.filter(target => !(target.figure(measured) < target.below)).map(({ name }) => name)
    const figures = { ...measured, missed }
    process.stdout.write(json ? `${JSON.stringify(figures)}\n` : forPeople(figures))
    if (missed.length > 0 || serial.hits < serial.reads) process.exitCode = 1
  } finally {
    clean()
  }
}

interface Figures {
  readonly entries: number
  readonly import: {
    readonly seconds: number
    readonly cpuSeconds: number
    readonly stages: Record<string, number>
    readonly fileMegabytes: number
    readonly residentMegabytes: number
  }
  readonly lookUp: z.infer<typeof looked>
  readonly serial: SerialFigures
}

/** What ten million entries have to keep to; milliseconds, seconds, megabytes. */
const targets: readonly { name: string; below: number; figure: (figures: Figures) => number }[] = [
  {
    name: 'exact look-up p99',
    below: 1,
    figure: ({ lookUp }) => Math.max(lookUp.exactListed.p99, lookUp.exactUnlisted.p99),
  },
  { name: 'look-alike look-up p99', below: 5, figure: ({ lookUp }) => lookUp.lookAlike.p99 },
  { name: 'import', below: 60, figure: figures => figures.import.seconds },
  { name: 'memory while matching', below: 256, figure: ({ lookUp }) => lookUp.residentMegabytes },
  { name: 'serial byte to committed hit p99', below: 20, figure: ({ serial }) => serial.byteToCommittedHit.p99 },
]

function forPeople(figures: Figures & { readonly missed: readonly string[] }): string {
  const line = (name: string, one: z.infer<typeof percentiles>) =>
    `  ${name.padEnd(16)} p50 ${one.p50} ms, p99 ${one.p99} ms, worst ${one.worst} ms, ${one.perSecond} a second\n`
  const stages = Object.entries(figures.import.stages).map(([stage, seconds]) => `${stage} ${seconds}`)
  return (
    `${figures.entries} entries imported in ${figures.import.seconds} s, ${figures.import.cpuSeconds} s of CPU (${stages.join(', ')}), ` +
    `${figures.import.fileMegabytes} MB on disk, at most ${figures.import.residentMegabytes} MB in memory\n` +
    line('exact, listed', figures.lookUp.exactListed) +
    line('exact, unlisted', figures.lookUp.exactUnlisted) +
    line('look-alike', figures.lookUp.lookAlike) +
    line('one edit', figures.lookUp.oneEdit) +
    `  at most ${figures.lookUp.residentMegabytes} MB in memory while matching\n` +
    `  serial byte to committed hit: p50 ${figures.serial.byteToCommittedHit.p50} ms, p99 ${figures.serial.byteToCommittedHit.p99} ms, ` +
    `worst ${figures.serial.byteToCommittedHit.worst} ms, ${figures.serial.hits} hits of ${figures.serial.reads} reads at ` +
    `${figures.serial.readsPerSecond} a second (the disk alone: p99 ${figures.serial.diskSynchronised.p99} ms)\n` +
    `  of plates not listed, ${(100 * figures.lookUp.falseShare.withState).toFixed(3)} % match with a state read, ` +
    `${(100 * figures.lookUp.falseShare.withoutState).toFixed(3)} % without\n` +
    (figures.missed.length === 0 ? '  every target is met\n' : `  missed: ${figures.missed.join(', ')}\n`)
  )
}

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    entries: { type: 'string', default: '10000000' },
    'look-up': { type: 'string' },
  },
})
const entries = Number(values.entries)
if (!Number.isInteger(entries) || entries < 1) {
  process.stderr.write('--entries takes a whole number of at least 1.\n')
  process.exitCode = 2
} else if (values['look-up'] !== undefined) {
  process.stdout.write(JSON.stringify(lookUp(values['look-up'], entries)))
} else {
  await run(entries, values.json)
}
