import { type CharacterMatrix, greedyCharacters, type ReadCharacter } from './character-matrix.js'
import { detectorStep, lineHeight, type TextModels } from './models.js'
import { type Picture, type Point, type Quadrilateral, straighten } from './picture.js'
import { between, boxOf, joined, type TextRegion, tilted, widened } from './region.js'
import { textRegions } from './text-regions.js'

/** The line pulled straight, as the recogniser wants it; `stretch` makes it longer. */
export function lineOf(picture: Picture, { corners, width, height }: TextRegion, stretch = 1): Picture {
  const columns = Math.max(32, Math.min(640, Math.round((width / height) * lineHeight * stretch)))
  return straighten(picture, corners, columns, lineHeight)
}

/** Grey, from black to white over all of its range. */
function stretched({ width, height, data }: Picture): Picture {
  const grey = Uint8Array.from(
    { length: width * height },
    (_, i) => 0.3 * (data[3 * i] ?? 0) + 0.59 * (data[3 * i + 1] ?? 0) + 0.11 * (data[3 * i + 2] ?? 0),
  )
  const sorted = grey.slice().sort()
  const [low, high] = [sorted[Math.floor(0.02 * sorted.length)] ?? 0, sorted[Math.floor(0.98 * sorted.length)] ?? 255]
  const scale = 255 / Math.max(1, high - low)
  return {
    width,
    height,
    data: Uint8Array.from({ length: data.length }, (_, i) =>
      Math.max(0, Math.min(255, ((grey[Math.floor(i / 3)] ?? 0) - low) * scale)),
    ),
  }
}

/** The brightest of each pixel's colours: bands, crests, stickers and emblems grow pale, black characters stay black. */
function brightest({ width, height, data }: Picture): Picture {
  const levels = new Uint8Array(data.length)
  for (let at = 0; at < data.length; at += 3) {
    levels.fill(Math.max(data[at] ?? 0, data[at + 1] ?? 0, data[at + 2] ?? 0), at, at + 3)
  }
  return { width, height, data: levels }
}

/** A line in the middle of a grey one of the length that the recogniser was trained on. */
function centred({ width, height, data }: Picture): Picture {
  if (width >= usualLength) return { width, height, data }
  const left = Math.floor((usualLength - width) / 2)
  const line = new Uint8Array(3 * usualLength * height).fill(127)
  for (let row = 0; row < height; row++) {
    line.set(data.subarray(3 * row * width, 3 * (row + 1) * width), 3 * (row * usualLength + left))
  }
  return { width: usualLength, height, data: line }
}

function negative({ width, height, data }: Picture): Picture {
  return { width, height, data: data.map(value => 255 - value) }
}

/** Length of most lines that the recogniser was trained on, pixels. */
const usualLength = 320
/** A line found anew that is longer by this factor was cut off before. */
const cutOffFrom = 1.06
/** One that is shorter than this share may be only a part, and than that one it is. */
const partUnder = 0.94
const leastAgain = 0.65
/** Tangent of an angle as that of a camera that hangs a little askew, and an eighth of the line's height. */
const [slightTilt, slightShift] = [0.06, 0.125]

/** What the recogniser made of a region. */
export interface Look {
  readonly region: TextRegion
  readonly matrix: CharacterMatrix
}

/** Three neighbouring characters of a text, read by themselves: those from `from` up to and without `to`. */
export interface Piece {
  readonly from: number
  readonly to: number
  readonly characters: readonly ReadCharacter[]
}

/**
 * Looks at a line again: found anew in an enlarged piece, and cut in other ways. Where the line found anew is longer, the first
 * look cut it off and does not count. Where it is shorter, either may be all of the plate: both are looked at, the shorter first.
 */
export async function looksAt(models: TextModels, picture: Picture, first: Look): Promise<Look[][]> {
  const again = await findAgain(models, picture, first.region)
  const longer = (again?.width ?? 0) / first.region.width
  if (again === null || (longer >= partUnder && longer <= cutOffFrom)) {
    return [[first, ...(await cutsOf(models, picture, again ?? first.region))]]
  }
  const anew = await cutsOf(models, picture, again)
  return longer > cutOffFrom ? [anew] : [anew, [first, ...(await cutsOf(models, picture, first.region))]]
}

async function cutsOf(models: TextModels, picture: Picture, base: TextRegion): Promise<Look[]> {
  const low = widened(base, 1, 0.8)
  const long = widened(base, 1.1, 1)
  const longLow = widened(base, 1.1, 0.8)
  const middle = widened(base, 1.05, 0.85)
  const cuts: readonly [TextRegion, Picture][] = [
    [low, brightest(lineOf(picture, low))],
    [base, negative(brightest(lineOf(picture, base, 1.3)))],
    [long, negative(stretched(lineOf(picture, long, 1.3)))],
    [longLow, lineOf(picture, longLow)],
    [middle, centred(brightest(lineOf(picture, middle)))],
  ]
  const looks: Look[] = []
  for (const [cut, line] of cuts) looks.push({ region: cut, matrix: await models.readLine(line) })
  return looks
}

/** What the recogniser makes of a line that is cut a little tilted, and a little higher or lower: what a plate says stays the same. */
export async function displacedLooks(
  models: TextModels,
  picture: Picture,
  region: TextRegion,
): Promise<CharacterMatrix[]> {
  const cuts = [
    tilted(region, 0, -slightTilt),
    tilted(region, 0, slightTilt),
    tilted(region, -slightShift, 0),
    tilted(region, slightShift, 0),
  ]
  const looks: CharacterMatrix[] = []
  for (const cut of cuts) looks.push(await models.readLine(lineOf(picture, cut)))
  return looks
}

/**
 * Reads a text again in pieces of three neighbouring characters, cut where the look saw them, so that none is read for the sake of
 * the whole line. The first and the last piece reach out by more than a character, where one that the line left off would show.
 * What each piece says, with the characters of the text that it covers: the first and the one after the last.
 */
export async function readInPieces(models: TextModels, picture: Picture, { region, matrix }: Look): Promise<Piece[]> {
  const middles = greedyCharacters(matrix).map(({ middle }) => middle)
  const count = middles.length
  const steps = middles.slice(1).map((middle, index) => middle - (middles[index] ?? 0))
  const pitch = steps.sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 1 / 7
  const starts = Array.from({ length: Math.ceil((count - 1) / 2) }, (_, index) => Math.min(2 * index, count - 3))
  const pieces: Piece[] = []
  for (const from of starts) {
    const to = from + 3
    const [first = 0, last = 1] = [middles[from], middles[to - 1]]
    const left = from === 0 ? first - 1.25 * pitch : ((middles[from - 1] ?? first) + first) / 2
    const right = to === count ? last + 1.25 * pitch : ((middles[to] ?? last) + last) / 2
    const matrix = await models.readLine(lineOf(picture, between(region, left, right), 1.3))
    pieces.push({ from, to, characters: greedyCharacters(matrix) })
  }
  return pieces
}

/** The line in a piece of the picture in which it is large; null where most of it is not found, nor two parts that make it up. */
async function findAgain(models: TextModels, picture: Picture, region: TextRegion): Promise<TextRegion | null> {
  const found = (await findEnlarged(models, picture, region)).filter(({ share }) => share > 0.1)
  const together = found.flatMap(({ region: one, share }, index) =>
    found.slice(index + 1).flatMap(other => {
      const both = joined(one, other.region)
      return both === null ? [] : [{ region: both, share: share + other.share }]
    }),
  )
  const [first] = [...found, ...together].sort((one, other) => other.share - one.share)
  if (first === undefined || first.share < 0.3 || first.region.width < leastAgain * region.width) return null
  return first.region
}

/** The lines in and round a region in an enlarged piece of the picture, and the share of the region that each covers. */
export async function findEnlarged(
  models: TextModels,
  picture: Picture,
  region: TextRegion,
): Promise<{ region: TextRegion; share: number }[]> {
  const around = widened(region, 1.5, 3)
  const scale = Math.min(8, 64 / region.height)
  const size = (side: number) => Math.max(detectorStep, Math.round((side * scale) / detectorStep) * detectorStep)
  const [width, height] = [Math.min(640, size(around.width)), Math.min(320, size(around.height))]
  const map = await models.textMap(straighten(picture, around.corners, width, height))
  const [origin, right, , down] = around.corners
  const back = ({ x, y }: Point): Point => ({
    x: origin.x + ((right.x - origin.x) * x) / width + ((down.x - origin.x) * y) / height,
    y: origin.y + ((right.y - origin.y) * x) / width + ((down.y - origin.y) * y) / height,
  })
  return textRegions(map, width, height).map(each => {
    const [a, b, c, d] = each.corners
    const corners: Quadrilateral = [back(a), back(b), back(c), back(d)]
    const [wide, high] = [(each.width * around.width) / width, (each.height * around.height) / height]
    return { share: overlap(each, width, height), region: { corners, width: wide, height: high, score: each.score } }
  })
}

/** Share of the middle of the piece, where the line was, that a region covers. */
function overlap({ corners }: TextRegion, width: number, height: number): number {
  const [left, top, wide, high] = boxOf(corners)
  const across = Math.max(0, Math.min(left + wide, (width * 5) / 6) - Math.max(left, width / 6))
  const down = Math.max(0, Math.min(top + high, (height * 2) / 3) - Math.max(top, height / 3))
  return (across * down) / (((width * 2) / 3) * (height / 3))
}
