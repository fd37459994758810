import { fourier, powerOfTwo } from './fourier.js'
import { groundReflection } from './ground.js'
import type { Path } from './paths.js'
import { type Absorber, absorptionResponse, type Complex, edgeLoss, fromDecibel } from './physics.js'

/** What the way through the air meets. */
export interface Surroundings {
  readonly absorber: Absorber
  /** Metres a second. */
  readonly speed: number
  /** Pascal seconds a square metre; infinity is a mirror. */
  readonly flowResistivity: number
}

/** Gain and phase of a path at one frequency besides spreading, delay and the signs of walls: air, ground and edges. */
export function pathResponse(
  frequency: number,
  path: Path,
  { absorber, speed, flowResistivity }: Surroundings,
): Complex {
  const air = absorptionResponse(frequency, path.length, absorber)
  const edge = path.detour === null ? 1 : fromDecibel(-edgeLoss(frequency, path.detour, speed))
  if (!path.ground) return { real: edge * air.real, imaginary: edge * air.imaginary }
  const receiver = path.points.at(-1)!
  const grazing = Math.asin(Math.min(1, (receiver.up - path.image.up) / path.length))
  const ground = groundReflection(frequency, grazing, path.length, flowResistivity, speed)
  return {
    real: edge * (air.real * ground.real - air.imaginary * ground.imaginary),
    imaginary: edge * (air.real * ground.imaginary + air.imaginary * ground.real),
  }
}

/** Samples by which a filter's response may reach either way. */
export const reach = 256

/**
 * Filters `samples`; the result begins `reach` samples before them and ends as many after. Overlap and add, two blocks at a time
 * as the real and the imaginary part of one transform.
 */
export function filtered(
  samples: Float64Array,
  sampleRate: number,
  response: (frequency: number) => Complex,
): Float64Array {
  const size = Math.min(4096, powerOfTwo(samples.length + 2 * reach))
  const block = size - 2 * reach
  const half = size / 2
  const gains = Array.from({ length: half + 1 }, (_, k) => response((k * sampleRate) / size))
  const transform = fourier(size)
  const result = new Float64Array(samples.length + 2 * reach)
  const real = new Float64Array(size)
  const imaginary = new Float64Array(size)
  for (let start = 0; start < samples.length; start += 2 * block) {
    real.fill(0)
    imaginary.fill(0)
    real.set(samples.subarray(start, start + block), reach)
    imaginary.set(samples.subarray(start + block, start + 2 * block), reach)
    transform.forward(real, imaginary)
    for (let k = 0; k < size; k++) {
      const gain = gains[k <= half ? k : size - k]!
      const turned = k === 0 || k === half ? 0 : k < half ? gain.imaginary : -gain.imaginary
      const r = real[k]! * gain.real - imaginary[k]! * turned
      imaginary[k] = real[k]! * turned + imaginary[k]! * gain.real
      real[k] = r
    }
    transform.inverse(real, imaginary)
    addWithin(result, real, start)
    addWithin(result, imaginary, start + block)
  }
  return result
}

function addWithin(result: Float64Array, block: Float64Array, start: number): void {
  const to = Math.min(block.length, result.length - start)
  for (let i = 0; i < to; i++) result[start + i] = result[start + i]! + block[i]!
}
