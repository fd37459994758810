/*
 * Scores the reading of plates on one half of labelled pictures, and names the kinds of failure of the half that may be looked at.
 *
 *   npm run score:plates -- --data DIR [--half seen|unseen] [--json]
 *
 * DIR holds `truth.tsv` (picture, text, ... with one line of headings) and the pictures. A picture belongs to the unseen half when
 * the first byte of the SHA-256 of its file name, without folder, is odd. Whoever changes the reader looks at single pictures of
 * the seen half only; of the unseen one nothing but totals is printed, and those are not to be tuned on.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { TextModels } from '../gateway/vision/models.js'
import { readPicture } from '../gateway/vision/picture.js'
import { type PictureRead, readPlates } from '../gateway/vision/plate-finder.js'
import { alikeFolded } from '../gateway/vision/plate-forms.js'

interface Labelled {
  readonly image: string
  readonly set: string
  readonly plate: string
}

interface Scored extends Labelled {
  readonly reads: readonly PictureRead[]
}

function isUnseen(image: string): boolean {
  return ((createHash('sha256').update(basename(image)).digest()[0] ?? 0) & 1) === 1
}

function labelled(data: string): Labelled[] {
  const [, ...lines] = readFileSync(join(data, 'truth.tsv'), 'utf8').trimEnd().split('\n')
  return lines.map(line => {
    const [image = '', plate = ''] = line.split('\t')
    return { image, plate, set: image.split('/')[0] ?? '' }
  })
}

/** How the best read differs from the plate. */
function kindOf({ plate, reads }: Scored): string {
  const text = reads[0]?.text
  if (text === undefined) return 'not found'
  if (text === plate) return 'exact'
  const [want, got] = [alikeFolded(plate), alikeFolded(text)]
  if (want === got) return 'look-alike'
  if (reads.some(read => alikeFolded(read.text) === want)) return 'other line first'
  if (want.includes(got)) return 'cut off'
  if (got.includes(want)) return 'something beside it read'
  const others = [...want].filter((character, index) => character !== got[index]).length
  if (want.length === got.length && others <= 2) return 'wrong character'
  return 'other'
}

const { values: options } = parseArgs({
  options: { data: { type: 'string' }, half: { type: 'string', default: 'seen' }, json: { type: 'boolean' } },
})
if (options.data === undefined || !['seen', 'unseen'].includes(options.half)) {
  console.error('usage: score-plates --data DIR [--half seen|unseen] [--json]')
  process.exit(2)
}
const { data, half } = options
const models = await TextModels.load()
const scored: Scored[] = []
for (const one of labelled(data).filter(({ image }) => isUnseen(image) === (half === 'unseen'))) {
  scored.push({ ...one, reads: await readPlates(models, await readPicture(join(data, one.image))) })
}
const table = [...new Set(scored.map(({ set }) => set))].map(set => {
  const own = scored.filter(one => one.set === set)
  const kinds: Record<string, number> = {}
  for (const one of own) kinds[kindOf(one)] = (kinds[kindOf(one)] ?? 0) + 1
  const right = (one: Scored) => ['exact', 'look-alike'].includes(kindOf(one))
  const confirmed = own.filter(({ reads }) => reads[0]?.confirmed === true)
  return {
    set,
    half,
    pictures: own.length,
    exact: (kinds.exact ?? 0) / own.length,
    folded: own.filter(right).length / own.length,
    confirmed: confirmed.length / own.length,
    confirmedWrong: confirmed.filter(one => !right(one)).length,
    kinds,
  }
})
const failures = half === 'unseen' ? [] : scored.filter(one => kindOf(one) !== 'exact')
if (options.json === true) console.log(JSON.stringify({ table, failures }))
else {
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`
  for (const { set, pictures, exact, folded, confirmed, confirmedWrong, kinds } of table) {
    console.log(
      `${set}, ${half} half: ${pictures} pictures, exact ${percent(exact)}, folded ${percent(folded)}, confirmed ${percent(confirmed)}, of those wrong ${confirmedWrong}`,
    )
    if (half === 'seen') console.log(`  ${JSON.stringify(kinds)}`)
  }
  for (const one of failures) {
    const [best] = one.reads
    const sure = best?.confirmed === true ? 'CONFIRMED' : (best?.confidence ?? 0).toFixed(2)
    const others = one.reads.slice(1).map(({ text }) => text)
    console.log(
      `${kindOf(one).padEnd(24)} ${one.plate.padEnd(8)} ${(best?.text ?? '-').padEnd(9)} ${sure} ${one.image} ${others}`,
    )
  }
}
