import { type CharacterMatrix, greedyText } from './character-matrix.js'
import { detectorStep, type TextModels } from './models.js'
import { type Picture, type Point, resize } from './picture.js'
import { agreementOn, calibrated, certaintyOf, hasSurroundings, isCertain } from './plate-certainty.js'
import { hasKnownForm } from './plate-forms.js'
import { findEnlarged, type Look, lineOf, looksAt } from './plate-looks.js'
import { type VotedText, vote } from './plate-votes.js'
import { boxOf, coverEachOther, joined, type TextRegion } from './region.js'
import { textRegions } from './text-regions.js'

/** A plate read from a picture. */
export interface PictureRead {
  readonly text: string
  /** Probability that the text is right, 0 to 1: see `calibrated`. */
  readonly confidence: number
  /** Whether a person need not doubt the characters: see `isCertain`. */
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
/** And none whose merit is so much less than the first one's. */
const meritRange = 1.5
/** So many plate-shaped regions without a plate's text are searched again, if they are this share of the picture's height. */
const mostUnread = 2
const leastPlate = 0.03
/** Where nothing looks more like a plate than this, the picture is searched again, enlarged. */
const leastMerit = 0.5
/** A longer line that reads the same and more needs this share of the shorter one's agreement, and any longer one so much. */
const sameAgreement = 0.9
const leastAgreement = 0.3

interface Candidate {
  readonly look: Look
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
    candidates = [...candidates, ...(await candidatesOf(models, picture, 2 * longestSide))].sort(byMerit)
  }
  const ranked: (CloseRead & { rank: number })[] = []
  const [most] = candidates
  const worthwhile = withoutRepeats(candidates).filter(({ merit }) => merit > (most?.merit ?? 0) - meritRange)
  for (const { look, merit } of worthwhile.slice(0, mostCandidates)) {
    const voted = surest((await looksAt(models, picture, look)).flatMap(votedFrom))
    if (voted === null) continue
    const { looks, matrices, best } = voted
    const certainty = await certaintyOf(models, picture, best.text, looks)
    ranked.push({
      rank: merit + best.confidence,
      looks: matrices,
      read: {
        ...best,
        confidence: calibrated(best.confidence, certainty),
        confirmed: isCertain(best.confidence, certainty) && hasSurroundings(look.region, picture),
        box: boxOf((looks[0] ?? look).region.corners),
      },
    })
  }
  return ranked.sort((a, b) => b.rank - a.rank).map(({ read, looks }) => ({ read, looks }))
}

interface Voted {
  readonly looks: readonly Look[]
  readonly matrices: readonly CharacterMatrix[]
  readonly best: VotedText
  readonly agreement: number
}

function votedFrom(looks: readonly Look[]): Voted[] {
  const matrices = looks.map(({ matrix }) => matrix)
  const best = vote(matrices)
  return best === null ? [] : [{ looks, matrices, best, agreement: agreementOn(best.text, matrices) }]
}

/** The line of one plate to go by: a longer one is all of it if its looks agree about as well as those at the shorter one. */
function surest([shorter, longer]: readonly Voted[]): Voted | null {
  if (shorter === undefined || longer === undefined) return shorter ?? null
  const more = longer.best.text.includes(shorter.best.text) ? sameAgreement * shorter.agreement : shorter.agreement
  return longer.agreement > Math.max(more, leastAgreement) ? longer : shorter
}

function byMerit(a: Candidate, b: Candidate): number {
  return b.merit - a.merit
}

/** Of candidates that cover each other the first. */
function withoutRepeats(candidates: readonly Candidate[]): Candidate[] {
  return candidates.filter(
    ({ look }, index) => !candidates.slice(0, index).some(before => coverEachOther(before.look.region, look.region)),
  )
}

/** Lines of text that may be plates, the most plate-like first. */
async function candidatesOf(models: TextModels, picture: Picture, longest: number): Promise<Candidate[]> {
  const candidates: Candidate[] = []
  const unread: TextRegion[] = []
  const found = await findText(models, picture, longest)
  const together = found.flatMap((one, index) => found.slice(index + 1).flatMap(other => joined(one, other) ?? []))
  for (const region of [...found, ...together]) {
    const candidate = await candidateOf(models, picture, region)
    if (candidate !== null) candidates.push(candidate)
    else if (region.width > 1.2 * region.height && region.width < 3 * region.height) unread.push(region)
  }
  // What has a plate's shape and no plate's text may be a plate whose frame the line runs together with.
  const largest = unread.sort((one, other) => other.height - one.height).slice(0, mostUnread)
  for (const region of largest.filter(({ height }) => height > leastPlate * picture.height)) {
    for (const { region: line, share } of await findEnlarged(models, picture, region)) {
      const candidate = share > 0.15 ? await candidateOf(models, picture, line) : null
      if (candidate !== null) candidates.push(candidate)
    }
  }
  return candidates.sort(byMerit)
}

async function candidateOf(models: TextModels, picture: Picture, region: TextRegion): Promise<Candidate | null> {
  if (region.height < 6 || region.width < region.height) return null
  const matrix = await models.readLine(lineOf(picture, region))
  const merit = meritOf(region, greedyText(matrix), picture)
  return merit > Number.NEGATIVE_INFINITY ? { look: { region, matrix }, merit } : null
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
