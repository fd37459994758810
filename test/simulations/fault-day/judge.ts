import type { Episode, ExpectedFault } from './episodes.js'

/** A fault as the gateway told it, at a moment of the day. */
export interface ToldFault {
  readonly at: number
  readonly part: string
  readonly fault: string
  readonly state: 'raised' | 'cleared'
}

/** A fault that is over is told to be so within so many seconds: a driver may look for its device again only every half minute. */
const recovery = 120
/** A simulated camera says a picture early that its next one will not come, seconds. */
const early = 2

/** What is wrong with what was told: every fault has to be told once in its time, cleared once after it, and nothing besides. */
export function complaints(episodes: readonly Episode[], told: readonly ToldFault[]): string[] {
  const explained = new Set<ToldFault>()
  const missing = episodes.flatMap(episode =>
    episode.expected.flatMap(expected => {
      const { from, until, latest } = spanOf(expected, episode)
      const own = told.filter(each => isOf(expected, each) && each.at >= from - early && each.at <= latest)
      for (const each of own) explained.add(each)
      const raised = own.filter(({ state, at }) => state === 'raised' && at <= until)
      const states = own.map(({ state }) => state).join(', ')
      if (own.length === 0 && expected.optional === true) return []
      if (raised.length === 1 && own.length === 2 && own[1]?.state === 'cleared') return []
      return [`${describe(episode)}: ${expected.part} ${expected.fault} was told as: ${states || 'nothing'}`]
    }),
  )
  const unexplained = told
    .filter(each => !explained.has(each))
    .map(({ at, part, fault, state }) => `${clockOf(at)} ${part}: ${fault} ${state}, which nothing explains`)
  return [...missing, ...unexplained]
}

/** When a fault has to be told, and until when it has to be over. */
function spanOf({ moment }: ExpectedFault, { from, until }: Episode): { from: number; until: number; latest: number } {
  if (moment === 'beginning') return { from, until, latest: until }
  if (moment === 'end') return { from: until, until: until + recovery, latest: until + recovery }
  return { from, until, latest: until + recovery }
}

function isOf({ part, fault }: ExpectedFault, told: ToldFault): boolean {
  return told.part === part && told.fault === fault
}

function describe({ device, name, from, until }: Episode): string {
  return `${device} ${name} from ${clockOf(from)} to ${clockOf(until)}`
}

export function clockOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(11, 19)
}
