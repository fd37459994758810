// The package brings no types. This is what the program uses of it; pointers are numbers.
declare module '@echogarden/pffft-wasm/simd' {
  export interface Pffft {
    /** Replaced whenever the memory grows. */
    readonly HEAPF32: Float32Array
    /** @param kind 0 for real signals @returns 0 where it has no transform of that size */
    _pffft_new_setup(size: number, kind: number): number
    _pffft_aligned_malloc(bytes: number): number
    /** @param direction 0 forward, 1 backward */
    _pffft_transform_ordered(setup: number, input: number, output: number, work: number, direction: number): void
  }
  export default function load(): Promise<Pffft>
}

declare module '@echogarden/pffft-wasm' {
  export { default } from '@echogarden/pffft-wasm/simd'
}
