/**
 * The contract matrix: runs every kind of driver's contract on every implementation, a thousand reopenings each, and prints what
 * each case came to. A case that an implementation cannot have, and one whose device this machine lacks, stands there with its reason;
 * one that did neither is a failure. Takes about seven minutes, most of them for network cameras.
 *
 *   npm run contracts -- [KIND…] [--json]
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { type CaseOutcome, type ContractCase, contractCases } from './cases.js'

const kinds = ['microphone-array', 'camera', 'plate-reader', 'digital-io', 'sensor-board', 'gnss'] as const

const marks = { passed: 'passed', failed: 'FAILED', excused: '-', elsewhere: 'elsewhere' } as const

const command = new Command()
  .argument('[KIND...]', `which of ${kinds.join(', ')}; all unless given`)
  .option('--json', 'one line of JSON for each case instead of tables')
  .parse()
const { json = false } = command.opts<{ json?: boolean }>()
const wanted = command.args.length === 0 ? kinds : kinds.filter(kind => command.args.includes(kind))

let sound = true
for (const kind of wanted) {
  const { outcomes, passed } = await run(kind)
  if (json) for (const outcome of outcomes) console.log(JSON.stringify(outcome))
  else console.log(`${table(kind, outcomes)}\n`)
  if (!passed && !json) console.log(`The tests of ${kind} failed: see npx tap run dist/test/drivers/${kind}.test.js\n`)
  sound &&= passed && outcomes.length > 0 && outcomes.every(({ outcome }) => outcome !== 'failed')
}
process.exitCode = sound ? 0 : 1

/** Runs the tests of a kind and gathers what their contracts note. */
async function run(kind: string): Promise<{ outcomes: CaseOutcome[]; passed: boolean }> {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-contracts-'))
  const notes = join(folder, 'outcomes')
  try {
    const file = fileURLToPath(new URL(`../../test/drivers/${kind}.test.js`, import.meta.url))
    const env = { ...process.env, POLEWATCH_CONTRACTS: notes, TAP_TIMEOUT: '3600' }
    const child = spawn(process.execPath, [file], { env, stdio: ['ignore', 'ignore', 'inherit'] })
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
      return found === undefined ? 'NOT RUN' : marks[found.outcome]
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
