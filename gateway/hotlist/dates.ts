export type DateOrder = 'year-first' | 'month-first' | 'day-first'

const yearFirst = /^(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ]+(.+))?$/
const compact = /^(\d{4})(\d{2})(\d{2})(?:T?(\d{2})(\d{2})(\d{2})?)?$/
const yearLast = /^(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?:[T ]+(.+))?$/
const timeOfDay = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*([AP]M)?\s*(Z|[+-]\d{2}:?\d{2})?$/i

/**
 * A date as agencies write it, in seconds since 1970 UTC; null where it is none. `2026-03-01`, `2026/03/01`, `20260301` and
 * the orders with the year last, each with an optional time and zone. A date alone begins at midnight, or with `dayEnd` ends
 * at the next one, `utcOffset` minutes east of UTC. Days that no calendar has are refused.
 */
export function parseDate(text: string, order: DateOrder, utcOffset: number, dayEnd: boolean): number | null {
  const tight = compact.exec(text)
  if (tight !== null) {
    const [, year, month, day, hour, minute, second] = tight
    const start = dayStart(Number(year), Number(month), Number(day))
    if (start === null) return null
    if (hour === undefined) return start - utcOffset * 60 + (dayEnd ? 86_400 : 0)
    const within = secondsOfDay(Number(hour), Number(minute), Number(second ?? 0))
    return within === null ? null : start + within - utcOffset * 60
  }
  const first = yearFirst.exec(text)
  const last = order === 'year-first' ? null : yearLast.exec(text)
  let start: number | null = null
  if (first !== null) start = dayStart(Number(first[1]), Number(first[3]), Number(first[4]))
  else if (last !== null && order === 'month-first') start = dayStart(Number(last[4]), Number(last[1]), Number(last[3]))
  else if (last !== null) start = dayStart(Number(last[4]), Number(last[3]), Number(last[1]))
  if (start === null) return null
  const time = (first ?? last)?.[5]
  if (time === undefined) return start - utcOffset * 60 + (dayEnd ? 86_400 : 0)
  return addTime(start, time, utcOffset)
}

function dayStart(year: number, month: number, day: number): number | null {
  const milliseconds = Date.UTC(year, month - 1, day)
  const date = new Date(milliseconds)
  const exists = year >= 1970 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  return exists ? milliseconds / 1000 : null
}

function addTime(start: number, text: string, utcOffset: number): number | null {
  const parts = timeOfDay.exec(text)
  if (parts === null) return null
  const [, hour, minute, second, half, zone] = parts
  let hours = Number(hour)
  if (half !== undefined) {
    if (hours < 1 || hours > 12) return null
    hours = (hours % 12) + (half.toUpperCase() === 'PM' ? 12 : 0)
  }
  const within = secondsOfDay(hours, Number(minute), Number(second ?? 0))
  if (within === null) return null
  let offset = utcOffset
  if (zone !== undefined) {
    const digits = zone.replace(/\D/g, '')
    const minutes = Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))
    offset = zone.startsWith('-') ? -minutes : minutes
  }
  return start + within - offset * 60
}

function secondsOfDay(hours: number, minutes: number, seconds: number): number | null {
  const real = hours <= 24 && minutes <= 59 && seconds <= 60 && hours * 60 + minutes <= 24 * 60
  return real ? hours * 3600 + minutes * 60 + seconds : null
}
