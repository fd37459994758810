import { randomBytes } from 'node:crypto'

/** A session ends when nothing was asked for so long, and in any case after the working day, seconds. */
const idleLimit = 30 * 60
const lifeLimit = 8 * 3600
const sessionLimit = 8
/** Tries of the pass phrase: so many at once, then one more each so many seconds, whoever tries. */
const triesAtOnce = 5
const secondsForTry = 12

/** Who looks and what for. */
export interface Viewer {
  readonly who: string
  readonly purpose: string
}

export interface Session extends Viewer {
  readonly token: string
  /** Whether it is recorded that this session has looked. */
  looked: boolean
}

interface Kept extends Session {
  readonly began: number
  usedAt: number
}

/** Who is signed in. Times are of a monotonic clock, seconds. */
export class Sessions {
  readonly #clock: () => number
  readonly #sessions = new Map<string, Kept>()
  #tries = triesAtOnce
  #triedAt: number

  constructor(clock: () => number) {
    this.#clock = clock
    this.#triedAt = clock()
  }

  /** Takes one try of the pass phrase; gives the seconds to wait where there is none left. */
  mayTry(): number {
    const now = this.#clock()
    this.#tries = Math.min(triesAtOnce, this.#tries + (now - this.#triedAt) / secondsForTry)
    this.#triedAt = now
    if (this.#tries < 1) return Math.ceil((1 - this.#tries) * secondsForTry)
    this.#tries -= 1
    return 0
  }

  /** A new session; where there are too many the longest unused goes. */
  begin({ who, purpose }: Viewer): Session {
    const now = this.#clock()
    const token = randomBytes(32).toString('base64url')
    const session = { who, purpose, token, looked: false, began: now, usedAt: now }
    this.#sessions.set(token, session)
    // A right phrase gives the try back.
    this.#tries = Math.min(triesAtOnce, this.#tries + 1)
    if (this.#sessions.size > sessionLimit) {
      const [oldest] = [...this.#sessions.values()].sort((one, other) => one.usedAt - other.usedAt)
      if (oldest !== undefined) this.#sessions.delete(oldest.token)
    }
    return session
  }

  /** The session of a token. `using` says whether somebody does something, or a page that is left open goes on asking. */
  find(token: string | undefined, using: boolean): Session | null {
    const session = token === undefined ? undefined : this.#sessions.get(token)
    if (session === undefined) return null
    const now = this.#clock()
    if (now - session.usedAt > idleLimit || now - session.began > lifeLimit) {
      this.#sessions.delete(session.token)
      return null
    }
    if (using) session.usedAt = now
    return session
  }

  end(token: string): void {
    this.#sessions.delete(token)
  }
}
