/**
 * A young heap that may grow to 2 MB in place of 16, two areas of the C library's memory in place of eight a processor, and leave to sweep
 * it: see `sweep`.
 */
const small = { NODE_OPTIONS: '--max-semi-space-size=2 --expose-gc', MALLOC_ARENA_MAX: '2' }

/**
 * What the processes of a gateway are started with, so that they take little memory; the units in `systemd` say the same. What networks
 * work on is given back at once where it is large: kept, it is in pieces when the next picture comes, and as much is taken again. The
 * C library has its own idea of how large that is, which grows, unless it is told.
 */
export const roleEnvironment: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  sensing: small,
  uplink: small,
  vision: { ...small, MALLOC_MMAP_THRESHOLD_: String(2 * 2 ** 20), MALLOC_TRIM_THRESHOLD_: String(4 * 2 ** 20) },
}

/**
 * Gives up sound and pictures that nobody has any more. They lie outside of the engine's heap, which by itself lets some 64 MB of them
 * gather. Takes some 20 ms; does nothing in a process that was started otherwise.
 */
export function sweep(): void {
  globalThis.gc?.()
}
