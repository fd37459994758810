import type { FourierOfSize, RealFourier } from '../acoustics/fourier.js'

const realSignals = 0
const forward = 0
const backward = 1

let loading: Promise<FourierOfSize> | null = null

/**
 * Fourier transforms by PFFFT in WebAssembly, loaded when first asked for. Each size is made once; a transform must not be
 * used by two threads.
 *
 * @throws RangeError from the maker, where PFFFT has no transform of that size
 */
export function loadFourier(): Promise<FourierOfSize> {
  loading ??= load()
  return loading
}

async function load(): Promise<FourierOfSize> {
  const pffft = await instance()
  const made = new Map<number, RealFourier>()
  return size => {
    const known = made.get(size)
    if (known !== undefined) return known
    const setup = size >= 32 && Number.isInteger(Math.log2(size)) ? pffft._pffft_new_setup(size, realSignals) : 0
    if (setup === 0) throw new RangeError(`no Fourier transform of size ${size}`)
    const [input, output, work] = [0, 1, 2].map(() => pffft._pffft_aligned_malloc(4 * size))
    const run = (from: Float32Array, to: Float32Array, direction: number): void => {
      pffft.HEAPF32.set(from, input! / 4)
      pffft._pffft_transform_ordered(setup, input!, output!, work!, direction)
      to.set(pffft.HEAPF32.subarray(output! / 4, output! / 4 + size))
    }
    const transform: RealFourier = {
      size,
      forward: (samples, spectrum) => run(samples, spectrum, forward),
      inverse: (spectrum, samples) => run(spectrum, samples, backward),
    }
    made.set(size, transform)
    return transform
  }
}

/** Processors without the vector instructions that it was compiled for get the plain build. */
async function instance() {
  try {
    return await (await import('@echogarden/pffft-wasm/simd')).default()
  } catch {
    return await (await import('@echogarden/pffft-wasm')).default()
  }
}
