import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { exampleSeed } from './examples.js'
import { nuisanceArea, rounded, train, trainingSet } from './training.js'

/*
 * Trains the classifier of gateway/acoustics anew:
 *   node dist/scripts/classifier/train.js --live-fire DIR --sounds DIR [--out gateway/acoustics/classifier-weights.ts]
 * The same folders give the same weights. The first holds FP1, FP2 and FP4 of the live-fire recordings of Tech Note 098
 * (ShotSpotter, Inc., CC BY 4.0); the second `ambience`, of which four files are used: rain and car engine (InspectorJ, CC BY),
 * applause (joedeshon, CC BY), crowd cheering (SoundsExciting, CC0), all from freesound.org.
 */

const { values } = parseArgs({
  options: { 'live-fire': { type: 'string' }, sounds: { type: 'string' }, out: { type: 'string' } },
})
const { 'live-fire': liveFire, sounds, out } = values
if (liveFire === undefined || sounds === undefined) {
  process.stderr.write('usage: train.js --live-fire DIR --sounds DIR [--out FILE.ts]\n')
  process.exit(2)
}
const set = trainingSet(liveFire, sounds)
const { weights, report } = train(set)
const kinds = new Map<string, number>()
for (const { origin, kind } of set.examples) kinds.set(`${origin} ${kind}`, (kinds.get(`${origin} ${kind}`) ?? 0) + 1)
for (const [kind, count] of kinds) process.stdout.write(`${kind}: ${count} examples\n`)
process.stdout.write(
  `${report.examples} examples; on groups left out: area under the curve ${report.blastArea.toFixed(4)} for blasts against the rest, ${report.gunArea.toFixed(3)} for guns against fireworks (synthesised); shrunk by ${weights.blast.shrink.toFixed(2)} and ${weights.gun.shrink.toFixed(2)}\n`,
)
process.stdout.write(
  `by rate, bandwidth, noise floor, encoding and length alone: ${nuisanceArea(set.examples).toFixed(3)}\n`,
)
if (out !== undefined) {
  const made = { seed: exampleSeed, sha256: set.data }
  writeFileSync(
    out,
    `import type { ClassifierWeights } from './quadratic-model.js'

// Made by scripts/classifier/train.ts; not to be edited.

/** Seed, and the hash of each part of the data: recordings by their bytes, a sample of what is synthesised by its features. */
export const classifierTraining = ${JSON.stringify(made)}

export const classifierWeights: ClassifierWeights = ${JSON.stringify(rounded(weights))}
`,
  )
}
