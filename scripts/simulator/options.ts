import { InvalidArgumentError } from 'commander'

/** Parsers of command-line options that tell the bounds when a value is outside. */

export function numberWithin(least: number, most: number): (text: string) => number {
  return text => {
    const value = Number(text)
    if (text.trim() === '' || !(value >= least && value <= most)) {
      throw new InvalidArgumentError(`A number from ${least} to ${most} is needed.`)
    }
    return value
  }
}

export function wholeWithin(least: number, most: number): (text: string) => number {
  return text => {
    const value = numberWithin(least, most)(text)
    if (!Number.isInteger(value)) throw new InvalidArgumentError('A whole number is needed.')
    return value
  }
}
