/** CLOCK_MONOTONIC, seconds: one and the same for all processes of the machine since it started. */
export function kernelMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e9
}
