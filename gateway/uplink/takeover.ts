/** Births remembered as this process's own. */
const birthsKept = 32
/** Seconds, at most doubled by chance, that a session is left to the process that took it over. */
const firstYield = 30
const longestYield = 300

/**
 * Whether another process has claimed this one's client id. Some brokers tell nobody that a session was taken over, but the
 * retained status does: a birth since this process's own is another process's, which came later and may go on. One that is
 * still the same at the next attempt has gone.
 */
export class Takeover {
  #births: string[] = []
  #retained: string | null = null
  #gaveWayTo: string | null = null
  #givenWay = 0

  /** The first connection of a process takes over whatever was there before; the later ones have to look. */
  get mustLook(): boolean {
    return this.#births.length > 0
  }

  born(session: string): void {
    this.#births = [...this.#births, session].slice(-birthsKept)
  }

  /** To be called before looking. */
  look(): void {
    this.#retained = null
  }

  /** The session that a status names; null for one that is not this gateway's. */
  seen(session: string | null): void {
    this.#retained = session ?? this.#retained
  }

  claimed(): boolean {
    const retained = this.#retained
    if (retained === null || this.#births.includes(retained) || retained === this.#gaveWayTo) return false
    this.#gaveWayTo = retained
    return true
  }

  /** How long to leave the other one alone, seconds: longer each time that it was still there. `chance`: 0 to 1. */
  giveWay(chance: number): number {
    const least = Math.min(longestYield, firstYield * 2 ** this.#givenWay)
    this.#givenWay += 1
    return least * (1 + chance)
  }

  /** The session has been this process's for a while. */
  settled(): void {
    this.#givenWay = 0
  }
}
