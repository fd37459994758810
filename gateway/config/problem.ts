import type { Path } from './source.js'

/** One thing wrong with a file. Lines and columns count from 1. */
export interface Problem {
  readonly line: number
  readonly column: number
  /** Such as `microphoneArrays[0].driver`; empty where the file as a whole is meant. */
  readonly key: string
  /** What stands there, shortened; keys and passwords are left out. */
  readonly found: string
  readonly allowed: string
  /** A guess at what was meant. */
  readonly hint: string | null
}

/** A rule between keys found broken: which key, what stands there and what may. */
export interface Finding {
  readonly path: Path
  readonly found?: string
  readonly allowed: string
  readonly hint?: string
}

/** One line for a person: where, which key, what was found and what is allowed. */
export function problemLine({ line, column, key, found, allowed, hint }: Problem): string {
  const place = `line ${line}, column ${column}${key === '' ? '' : `, ${key}`}`
  return `${place}: found ${found}; allowed: ${allowed}${hint === null ? '' : ` (${hint})`}`
}

/** Dotted name of a key, list items counted from 0. */
export function keyName(path: Path): string {
  return path.reduce<string>((name, step) => {
    if (typeof step === 'number') return `${name}[${step}]`
    const word = shown(step)
    return name === '' ? word : `${name}.${word}`
  }, '')
}

// A key or password pasted where a path belongs must not travel on into a log.
const secret = /-----BEGIN|:\/\/[^/\s]*@|[A-Za-z0-9+/=_-]{44}/

/** Text from the file, short enough for a message and without secrets. */
export function shown(text: string): string {
  if (secret.test(text)) return 'something that looks like a secret (not shown)'
  const line = text.replace(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 57)}...` : line
}
