import { InvalidArgumentError } from 'commander'

/** Reads `--start-at`: seconds since 1970 UTC, or RFC 3339. */
export function startAtOption(text: string): number {
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text) / 1000
  if (!Number.isFinite(seconds))
    throw new InvalidArgumentError('It is neither seconds since 1970 nor a time such as 2026-01-02T03:04:05Z.')
  return seconds
}
