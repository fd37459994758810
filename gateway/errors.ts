/**
 * The one table of errors that a user can meet. `docs/errors.md` is generated from it. A `{name}` is filled from the
 * details given when the error is raised.
 */
export const errorTable = {
  PW_USAGE: {
    summary: 'The command line cannot be understood: {why}.',
    advice: 'Run the command with --help; it lists the arguments and shows an example.',
  },
} as const satisfies Record<string, { summary: string; advice: string }>

export type ErrorCode = keyof typeof errorTable

/** Values named in an error's sentences. Never a plate, a key or sound. */
export type ErrorDetails = Readonly<Record<string, string | number>>

/** An error a user can meet: a code of the table, what happened, and what to do. */
export class PolewatchError extends Error {
  readonly code: ErrorCode
  readonly details: ErrorDetails

  constructor(code: ErrorCode, details: ErrorDetails = {}, cause?: unknown) {
    super(fill(errorTable[code].summary, details), cause === undefined ? undefined : { cause })
    this.name = 'PolewatchError'
    this.code = code
    this.details = details
  }

  get advice(): string {
    return fill(errorTable[this.code].advice, this.details)
  }
}

function fill(sentence: string, details: ErrorDetails): string {
  return sentence.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = details[name]
    return value === undefined ? whole : String(value)
  })
}
