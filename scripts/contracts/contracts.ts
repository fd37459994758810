/**
 * The contract matrix: runs every kind of driver's contract on every implementation, a thousand reopenings each, and prints what
 * each case came to. Devices of the kernel are those of the test machine, where fewer reopenings have to do. A case that an
 * implementation cannot have, and one whose device cannot be had here, stands there with its reason; one that did neither is a failure.
 * Takes about seven minutes, most of them for network cameras, and as long again for the test machine; half an hour more where
 * GStreamer's camera server is installed, which takes its time at each opening.
 *
 *   npm run contracts -- [KIND…] [--json] [--no-machine]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { type CaseOutcome, type ContractCase, contractCases } from './cases.js'

const kinds = ['microphone-array', 'camera', 'plate-reader', 'digital-io', 'sensor-board', 'gnss', 'clock'] as const
/** The tests of the machine that have the contracts of each kind. */
const machineTests: Readonly<Record<string, string>> = {
  'microphone-array': 'microphone-array',
  camera: 'camera',
  'plate-reader': 'serial-lines',
  gnss: 'serial-lines',
  'digital-io': 'digital-io',
}

const marks = { passed: 'passed', failed: 'FAILED', excused: '-', elsewhere: 'elsewhere' } as const

const command = new Command()
  .argument('[KIND...]', `which of ${kinds.join(', ')}; all unless given`)
  .option('--json', 'one line of JSON for each case instead of tables')
  .option('--no-machine', 'leave out what the test machine runs')
  .parse()
const { json = false, machine } = command.opts<{ json?: boolean; machine: boolean }>()
const wanted = command.args.length === 0 ? kinds : kinds.filter(kind => command.args.includes(kind))

let sound = true
const inMachine = machine ? await runMachine() : { outcomes: [], passed: true }
sound &&= inMachine.passed
if (!inMachine.passed) console.log('Tests of the test machine failed: see ./scripts/test-machine\n')
for (const kind of wanted) {
  const { outcomes: here, passed } = await run(kind)
  const there = inMachine.outcomes.filter(outcome => outcome.kind === kind)
  const isThere = ({ implementation }: CaseOutcome) => there.some(outcome => outcome.implementation === implementation)
  const outcomes = [...here.filter(outcome => !isThere(outcome)), ...there]
  if (json) for (const outcome of outcomes) console.log(JSON.stringify(outcome))
  else console.log(`${table(kind, outcomes)}\n`)
  if (!passed && !json) console.log(`The tests of ${kind} failed: see npx tap run dist/test/drivers/${kind}.test.js\n`)
  sound &&= passed && outcomes.length > 0 && outcomes.every(({ outcome }) => outcome !== 'failed')
}
process.exitCode = sound ? 0 : 1

interface Ran {
  readonly outcomes: CaseOutcome[]
  readonly passed: boolean
}

/** Runs the tests of a kind and gathers what their contracts note. */
function run(kind: string): Promise<Ran> {
  const file = fileURLToPath(
    new URL(`../../test/${kind === 'clock' ? 'timebase' : 'drivers'}/${kind}.test.js`, import.meta.url),
  )
  return noted(notes => {
    const env = { ...process.env, POLEWATCH_CONTRACTS: notes, TAP_TIMEOUT: '3600' }
    return spawn(process.execPath, [file], { env, stdio: ['ignore', 'ignore', 'inherit'] })
  })
}

/** Runs those of the test machine. Where it cannot be had nothing is noted, and it says why. */
function runMachine(): Promise<Ran> {
  const program = fileURLToPath(new URL('../../../scripts/test-machine', import.meta.url))
  const tests = new Set(wanted.flatMap(kind => machineTests[kind] ?? []))
  if (tests.size === 0) return Promise.resolve({ outcomes: [], passed: true })
  return noted(notes => spawn(program, ['--contracts', notes, ...tests], { stdio: ['ignore', 'ignore', 'inherit'] }))
}

async function noted(start: (notes: string) => ChildProcess): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-contracts-'))
  const notes = join(folder, 'outcomes')
  try {
    const child = start(notes)
    const status = await new Promise<number | null>(resolve => child.once('close', resolve))
    const lines = readFileSync(notes, { encoding: 'utf8', flag: 'a+' }).split('\n').filter(Boolean)
    return { outcomes: lines.map((line): CaseOutcome => JSON.parse(line)), passed: status === 0 }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Cases down, implementations across; below them the reasons of what was not run. */
function table(kind: string, outcomes: readonly CaseOutcome[]): string {
  const implementations = [...new Set(outcomes.map(({ implementation }) => implementation))]
  const rows = Object.entries(contractCases).map(([name, title]) => [
    title,
    ...implementations.map(implementation => {
      const found = outcomes.find(each => each.case === name && each.implementation === implementation)
      if (found === undefined) return 'NOT RUN'
      return `${marks[found.outcome]}${found.outcome === 'passed' && found.times !== null ? `, ${found.times} times` : ''}`
    }),
  ])
  const head = [kind, ...implementations]
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map(row => row[column]?.length ?? 0)))
  const lines = [head, ...rows].map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const reasons = implementations.flatMap(implementation => reasonsOf(outcomes, implementation))
  return [...lines, ...reasons.map(reason => `  ${reason}`)].join('\n')
}

function reasonsOf(outcomes: readonly CaseOutcome[], implementation: string): string[] {
  const left = outcomes.filter(each => each.implementation === implementation && each.reason !== '')
  const [first] = left
  if (first?.outcome === 'elsewhere') return [`${implementation}: not run here: ${first.reason}`]
  return left.map(({ case: name, reason }) => `${implementation}, ${titleOf(name)}: ${reason}`)
}

function titleOf(name: ContractCase): string {
  return contractCases[name]
}
