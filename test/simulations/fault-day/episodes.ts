import type { Random } from '../../../scripts/simulator/random.js'

/** What a part of the gateway has to say of something that goes wrong: once when it begins, once when it is over. */
export interface ExpectedFault {
  readonly part: string
  readonly fault: string
  /** It may be told or not: what a card says first when it is pulled out depends on the moment. */
  readonly optional?: boolean
  /** It comes of the moment in which the trouble begins or is over, and passes by itself; else it lasts as long as the trouble. */
  readonly moment?: 'beginning' | 'end'
}

/** Something that goes wrong with a device for a while. */
export interface Trouble {
  readonly device: string
  readonly name: string
  readonly expected: readonly ExpectedFault[]
}

/** A trouble in its time, seconds from the beginning. */
export interface Episode extends Trouble {
  readonly from: number
  readonly until: number
  /** A number that is the episode's own, 0 to 1. */
  readonly chance: number
}

/** So long a device is well before the next thing happens to it, seconds. */
const wellAtLeast = 240
/** A trouble lasts so long, seconds: what is shorter than a fault needs to be believed is no fault. */
const shortest = 150
const longest = 900

/**
 * When what goes wrong: each device has one trouble after the other, and all devices have theirs at once. The first and the last
 * minutes are quiet.
 *
 * @param seconds how long the day is
 */
export function drawEpisodes(troubles: readonly Trouble[], seconds: number, random: Random): Episode[] {
  const devices = [...new Set(troubles.map(({ device }) => device))]
  return devices.flatMap(device => {
    const own = troubles.filter(trouble => trouble.device === device)
    const draw = random.fork(device)
    const episodes: Episode[] = []
    // Each kind comes up before any comes again.
    let bag: Trouble[] = []
    for (let from = draw.between(60, 600); ; ) {
      if (bag.length === 0) bag = [...own]
      const [trouble] = bag.splice(draw.integer(bag.length), 1)
      const until = from + draw.between(shortest, longest)
      if (trouble === undefined || until > seconds - wellAtLeast) return episodes
      episodes.push({ ...trouble, from, until, chance: draw.uniform() })
      from = until + draw.between(wellAtLeast, 2 * longest)
    }
  })
}

/** The trouble that a device has at a moment. */
export class Troubles {
  readonly #episodes: readonly Episode[]
  #next = 0

  /** @param episodes of one device, in order */
  constructor(episodes: readonly Episode[]) {
    this.#episodes = episodes
  }

  /** Null while it is well. To be asked with times that do not go back. */
  at(seconds: number): Episode | null {
    let episode = this.#episodes[this.#next]
    while (episode !== undefined && episode.until <= seconds) episode = this.#episodes[++this.#next]
    return episode !== undefined && episode.from <= seconds ? episode : null
  }
}
