/** A time on the wire: RFC 3339 in UTC, as in "2018-12-19T00:49:28.543Z", with at most nine decimals. */
export const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$/

/**
 * Writes seconds since 1970 UTC as RFC 3339, rounded to the given number of decimals.
 * @throws RangeError for a time outside the years 0 to 9999
 */
export function formatTime(seconds: number, decimals: 3 | 4 | 5 | 6 = 3): string {
  const ticks = Math.round(seconds * 10 ** decimals)
  const whole = Math.floor(ticks / 10 ** decimals)
  const text = new Date(whole * 1000).toISOString()
  if (text.length !== 24) throw new RangeError('time outside the years 0 to 9999')
  return `${text.slice(0, 19)}.${String(ticks - whole * 10 ** decimals).padStart(decimals, '0')}Z`
}

/** Reads a time written by `formatTime` as seconds since 1970 UTC; NaN where the text is no such time (as 31 February). */
export function parseTime(text: string): number {
  if (!timePattern.test(text)) return Number.NaN
  const start = `${text.slice(0, 19)}.000Z`
  const whole = Date.parse(start)
  if (Number.isNaN(whole) || new Date(whole).toISOString() !== start) return Number.NaN
  return whole / 1000 + Number(`0${text.slice(19, -1)}`)
}
