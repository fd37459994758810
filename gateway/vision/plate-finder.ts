import { type CharacterMatrix, greedyCharacters, greedyText, type ReadCharacter } from './character-matrix.js'
import { detectorStep, type TextModels } from './models.js'
import { type Picture, type Point, resize } from './picture.js'
import { alikeFolded, hasKnownForm } from './plate-forms.js'
import { furtherLooks, lineOf, readSingly } from './plate-looks.js'
import { vote } from './plate-votes.js'
import { boxOf, holdsMiddleOf, type TextRegion } from './region.js'
import { textRegions } from './text-regions.js'

/** A plate read from a picture. */
export interface PictureRead {
  readonly text: string
  /** Probability among the texts that came into question, 0 to 1. */
  readonly confidence: number
  /** Whether a person need not doubt the characters: see `sureness`. */
  readonly confirmed: boolean
  /** The text before anything was known of how plates are made up. */
  readonly rawText: string
  /** Left, top, width and height of the text, pixels. */
  readonly box: readonly [number, number, number, number]
}

/** The picture is searched at this size of its longer side first, pixels. */
const longestSide = 960
/** So many lines of text are read with care. */
const mostCandidates = 4
/** Where nothing looks more like a plate than this, the picture is searched again, enlarged. */
const leastMerit = 0.5
/** What is surer than this is confirmed. */
const sureEnough = 1.45

interface Candidate {
  readonly region: TextRegion
  readonly look: CharacterMatrix
  readonly merit: number
}

/** A read with what it was made of: each way that the line was cut and read. */
export interface CloseRead {
  readonly read: PictureRead
  readonly looks: readonly CharacterMatrix[]
}

/** Finds and reads the plates of a picture, the most plate-like first. */
export async function readPlates(models: TextModels, picture: Picture): Promise<PictureRead[]> {
  return (await readPlatesClosely(models, picture)).map(({ read }) => read)
}

/** As `readPlates`, for whoever reads the same plates in further pictures. */
export async function readPlatesClosely(models: TextModels, picture: Picture): Promise<CloseRead[]> {
  let candidates = await candidatesOf(models, picture, longestSide)
  if ((candidates[0]?.merit ?? Number.NEGATIVE_INFINITY) < leastMerit) {
    candidates = withoutRepeats(
      [...candidates, ...(await candidatesOf(models, picture, 2 * longestSide))].sort(byMerit),
    )
  }
  const ranked: (CloseRead & { rank: number })[] = []
  for (const { region, look, merit } of candidates.slice(0, mostCandidates)) {
    const looks = [look, ...(await furtherLooks(models, picture, region))]
    const best = vote(looks)
    if (best === null) continue
    const singles = await readSingly(models, picture, region, look)
    const confirmed = sureness(best.text, looks, singles) > sureEnough
    ranked.push({ rank: merit + best.confidence, looks, read: { ...best, confirmed, box: boxOf(region.corners) } })
  }
  return ranked.sort((a, b) => b.rank - a.rank).map(({ read, looks }) => ({ read, looks }))
}

function byMerit(a: Candidate, b: Candidate): number {
  return b.merit - a.merit
}

/** Of candidates that cover each other the first. */
function withoutRepeats(candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(
    ({ region }, index) => !candidates.slice(0, index).some(before => holdsMiddleOf(before.region, region)),
  )
}

/** Lines of text that may be plates, the most plate-like first. */
async function candidatesOf(models: TextModels, picture: Picture, longest: number): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  for (const region of await findText(models, picture, longest)) {
    if (region.height < 6 || region.width < region.height) continue
    const look = await models.readLine(lineOf(picture, region))
    const merit = meritOf(region, greedyText(look), picture)
    if (merit > Number.NEGATIVE_INFINITY) candidates.push({ region, look, merit })
  }
  return candidates.sort(byMerit)
}

/** How much a line of text looks like a plate's; minus infinity where it cannot be one. */
function meritOf(
  { width, height, score }: TextRegion,
  { text, confidence }: { text: string; confidence: number },
  picture: Picture,
): number {
  const digits = text.replace(/[^0-9]/g, '').length
  if (text.length < 3 || text.length > 9 || digits === 0) return Number.NEGATIVE_INFINITY
  // A date that was burnt in.
  if (digits === text.length && digits >= 8) return Number.NEGATIVE_INFINITY
  const length = text.length >= 5 && text.length <= 8 ? 0 : -1.5
  const shape = width > 1.3 * height && width < 7 * height ? 0 : -2
  const size = Math.max(-1, Math.min(1, 0.6 * Math.log2(height / (0.03 * picture.height))))
  const made = digits === text.length ? -1.2 : hasKnownForm(text) ? 0.3 : 0
  return length + shape + made + size + score + 0.5 * Math.log(Math.max(0.02, confidence))
}

/**
 * How far two ways of reading agree on a text, up to 2: the mean probability of the looks that read the whole line so, and the
 * share of characters that were read the same one at a time; half a point less for each read differently. Characters that
 * look alike count as the same.
 */
function sureness(text: string, looks: readonly CharacterMatrix[], singles: readonly ReadCharacter[]): number {
  const folded = alikeFolded(text)
  const agreeing = looks.map(greedyText).filter(look => alikeFolded(look.text) === folded)
  const mean = agreeing.reduce((sum, { confidence }) => sum + confidence, 0) / looks.length
  const [line] = looks
  if (line === undefined || greedyCharacters(line).length !== text.length) return mean
  let sum = mean
  for (const [index, { character, confidence }] of singles.entries()) {
    if (character === '') continue
    if (alikeFolded(character) === folded[index]) sum += 1 / text.length
    else if (confidence > 0.4) sum -= 0.5
  }
  return sum
}

async function findText(models: TextModels, picture: Picture, longest: number): Promise<TextRegion[]> {
  const scale = Math.min(2, longest / Math.max(picture.width, picture.height))
  const size = (side: number) => Math.max(detectorStep, Math.round((side * scale) / detectorStep) * detectorStep)
  const [width, height] = [size(picture.width), size(picture.height)]
  const map = await models.textMap(await resize(picture, { width, height }))
  const [sx, sy] = [picture.width / width, picture.height / height]
  const back = ({ x, y }: Point): Point => ({ x: x * sx, y: y * sy })
  return textRegions(map, width, height).map(({ corners: [a, b, c, d], width: along, height: across, score }) => ({
    corners: [back(a), back(b), back(c), back(d)],
    width: along * sx,
    height: across * sy,
    score,
  }))
}
