import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { drawDay, usualDay } from '../simulator/day.js'
import { keptSteps } from '../simulator/day-arrivals.js'
import { hearScene, stretchesAround } from '../simulator/day-network.js'
import { fitModels, reliability } from './model.js'
import { type LocatedRow, locatedRows } from './rows.js'

/*
 * Fits what the probability of an alert is made of on simulated days, and shows on other days whether it comes true:
 *
 *   node dist/scripts/probability/fit-probability.js --listen DIR [--arrivals DIR]   (an hour: hears the days, writes DIR/*.json)
 *   node dist/scripts/probability/fit-probability.js --rows DIR [--out gateway/acoustics/probability-weights.ts]
 *
 * The days have the usual 200 shots, some forty fireworks and as many strokes of thunder, and are listened to around those. How
 * probable a gunshot is depends on how many of each there are: it holds for such days. Everything about it is simulated.
 */

const days = { training: [2, 3, 4], 'held-out': [1] } as const
const kinds = new Set(['gun', 'firework', 'thunder'] as const)
const around = 6

const { values } = parseArgs({
  options: {
    listen: { type: 'string' },
    arrivals: { type: 'string' },
    rows: { type: 'string' },
    out: { type: 'string' },
  },
})
const { listen, arrivals, rows, out } = values
if (listen === undefined && rows === undefined) {
  process.stderr.write('usage: fit-probability.js --listen DIR [--arrivals DIR] | --rows DIR [--out FILE.ts]\n')
  process.exit(2)
}
if (listen !== undefined) {
  mkdirSync(listen, { recursive: true })
  for (const [name, seeds] of Object.entries(days)) {
    const heard = seeds.flatMap(seed => hearDay(seed, arrivals))
    writeFileSync(join(listen, `${name}.json`), `[\n${heard.map(row => JSON.stringify(row)).join(',\n')}\n]\n`)
  }
}
if (rows !== undefined) {
  const read = (name: keyof typeof days): LocatedRow[] => JSON.parse(readFileSync(join(rows, `${name}.json`), 'utf8'))
  const models = fitModels(read('training'))
  for (const name of ['training', 'held-out'] as const) {
    const { rows: count, gunshots, brier, bins } = reliability(models, read(name))
    console.log(
      `simulated days of seeds ${days[name].join(', ')} (${name}): ${count} located sounds, ${gunshots} gunshots; Brier score ${brier.toFixed(4)}`,
    )
    for (const bin of bins)
      console.log(
        `  ${bin.from.toFixed(2)} to ${bin.to.toFixed(2)}  ${String(bin.count).padStart(5)}  stated ${bin.stated.toFixed(3)}  observed ${bin.observed.toFixed(3)}`,
      )
  }
  if (out !== undefined) writeFileSync(out, sourceOf(models))
}

function hearDay(seed: number, folder: string | undefined): LocatedRow[] {
  const { hours, gateways, sampleRate } = usualDay
  const day = drawDay({ seed })
  const stretches = stretchesAround(day, kinds, around, around)
  const file = folder === undefined ? undefined : join(folder, `mix${seed}.ndjson`)
  const of = { hours, seed, gateways, rate: sampleRate, stretches }
  const found = locatedRows(
    day,
    keptSteps(file, of, () => hearScene(day, stretches)),
  )
  process.stderr.write(`seed ${seed}: ${found.length} located sounds\n`)
  return found.map(row => ({ ...row, evidence: rounded(row.evidence), single: rounded(row.single) }))
}

function rounded(evidence: LocatedRow['evidence']): LocatedRow['evidence'] {
  const { blast, gun, crooked, unexplained, place } = evidence
  const short = (value: number): number => Number(value.toPrecision(4))
  return {
    blast: short(blast),
    gun: short(gun),
    crooked: short(crooked),
    unexplained: short(unexplained),
    place: short(place),
  }
}

function sourceOf(models: ReturnType<typeof fitModels>): string {
  return `// Made by scripts/probability/fit-probability.ts; not to be edited.

/** Natural logarithm of odds: a constant, and a weight for each kind of evidence that the model looks at. */
export interface Logistic {
  readonly constant: number
  readonly weights: Partial<Record<'blast' | 'gun' | 'crooked' | 'unexplained', number>>
}

/** Of a located sound: that it is a blast, and that a blast is a gun's. */
export const probabilityWeights: Readonly<Record<'blast' | 'gun', Logistic>> = ${JSON.stringify(models, null, 2)}
`
}
