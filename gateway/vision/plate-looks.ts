import { type CharacterMatrix, greedyCharacters, type ReadCharacter } from './character-matrix.js'
import { detectorStep, lineHeight, type TextModels } from './models.js'
import { type Picture, type Point, straighten } from './picture.js'
import { between, boxOf, type TextRegion, widened } from './region.js'
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

function negative({ width, height, data }: Picture): Picture {
  return { width, height, data: data.map(value => 255 - value) }
}

/** Looks at the region again: found anew in an enlarged piece, and cut in other ways. */
export async function furtherLooks(
  models: TextModels,
  picture: Picture,
  region: TextRegion,
): Promise<CharacterMatrix[]> {
  const looks: CharacterMatrix[] = []
  const zoomed = await findAgain(models, picture, region)
  for (const cut of [
    ...(zoomed === null ? [] : [zoomed, widened(zoomed, 1.06, 1.12)]),
    widened(region, 1.04, 0.9),
    widened(region, 1, 1.15),
    widened(region, 0.97, 1),
  ]) {
    looks.push(await models.readLine(lineOf(picture, cut)))
  }
  const base = zoomed ?? region
  looks.push(await models.readLine(stretched(lineOf(picture, base, 1.3))))
  looks.push(await models.readLine(negative(lineOf(picture, base, 0.85))))
  return looks
}

/**
 * Reads the characters of a line one at a time, each cut out by itself, so that none is read for the sake of its neighbours. One
 * entry a character of the line; an empty one where nothing was read.
 */
export async function readSingly(
  models: TextModels,
  picture: Picture,
  region: TextRegion,
  line: CharacterMatrix,
): Promise<ReadCharacter[]> {
  const characters = greedyCharacters(line)
  const singles: ReadCharacter[] = []
  for (const [index, { middle }] of characters.entries()) {
    const [before, after] = [characters[index - 1]?.middle, characters[index + 1]?.middle]
    const gap = Math.min(middle - (before ?? -1), (after ?? 2) - middle, 1.2 / characters.length)
    const piece = between(region, middle - 0.62 * gap, middle + 0.62 * gap)
    const columns = Math.max(32, Math.round((piece.width / piece.height) * lineHeight))
    const found = greedyCharacters(await models.readLine(straighten(picture, piece.corners, columns, lineHeight)))
    const [nearest] = found.sort((one, other) => Math.abs(one.middle - 0.5) - Math.abs(other.middle - 0.5))
    singles.push(nearest ?? { character: '', confidence: 0, middle })
  }
  return singles
}

/** The line in a piece of the picture in which it is large. */
async function findAgain(models: TextModels, picture: Picture, region: TextRegion): Promise<TextRegion | null> {
  const around = widened(region, 1.5, 3)
  const scale = Math.min(8, 64 / region.height)
  const size = (side: number) => Math.max(detectorStep, Math.round((side * scale) / detectorStep) * detectorStep)
  const [width, height] = [Math.min(640, size(around.width)), Math.min(320, size(around.height))]
  const map = await models.textMap(straighten(picture, around.corners, width, height))
  const found = textRegions(map, width, height)
    .map(each => ({ each, share: overlap(each, width, height) }))
    .sort((a, b) => b.share - a.share)[0]
  if (found === undefined || found.share < 0.3) return null
  const [a, b, c, d] = found.each.corners
  const [origin, right, , down] = around.corners
  const back = ({ x, y }: Point): Point => ({
    x: origin.x + ((right.x - origin.x) * x) / width + ((down.x - origin.x) * y) / height,
    y: origin.y + ((right.y - origin.y) * x) / width + ((down.y - origin.y) * y) / height,
  })
  return {
    corners: [back(a), back(b), back(c), back(d)],
    width: (found.each.width * around.width) / width,
    height: (found.each.height * around.height) / height,
    score: found.each.score,
  }
}

/** Share of the middle of the piece, where the line was, that a region covers. */
function overlap({ corners }: TextRegion, width: number, height: number): number {
  const [left, top, wide, high] = boxOf(corners)
  const across = Math.max(0, Math.min(left + wide, (width * 5) / 6) - Math.max(left, width / 6))
  const down = Math.max(0, Math.min(top + high, (height * 2) / 3) - Math.max(top, height / 3))
  return (across * down) / (((width * 2) / 3) * (height / 3))
}
