import type { ServerResponse } from 'node:http'
import type { SoundReport } from '../acoustics/level-meter.js'
import type { ConsoleBackend } from './backend.js'
import { ClapTest } from './clap.js'

/** Milliseconds between two words about sound, and how many of those come between two about everything else. */
const soundEvery = 500
const conditionEvery = 4
/** Most pages that follow at once. */
const followerLimit = 16
/** A reader that is so far behind is let go, bytes. */
const backlogLimit = 1024 * 1024

interface Follower {
  readonly token: string
  readonly response: ServerResponse
}

/** Tells every open page what goes on, by server-sent events, as long as its session lasts. */
export class LiveFeed {
  readonly #backend: ConsoleBackend
  readonly #lasts: (token: string) => boolean
  readonly #followers = new Set<Follower>()
  readonly #clapTests = new Map<string, ClapTest>()
  #timer: NodeJS.Timeout | undefined
  #turn = 0

  constructor(backend: ConsoleBackend, lasts: (token: string) => boolean) {
    this.#backend = backend
    this.#lasts = lasts
  }

  get followers(): number {
    return this.#followers.size
  }

  follow(token: string, response: ServerResponse, headers: Readonly<Record<string, string>>): void {
    if (this.#followers.size >= followerLimit) {
      response.writeHead(503, headers).end()
      return
    }
    const follower = { token, response }
    response.writeHead(200, { ...headers, 'content-type': 'text/event-stream' })
    response.on('close', () => this.#leave(follower))
    response.on('error', () => this.#leave(follower))
    this.#followers.add(follower)
    const condition = this.#condition()
    if (condition !== null) tell(response, 'condition', condition)
    this.#timer ??= setInterval(() => this.#tick(), soundEvery)
  }

  /** From here on the pages of a session are told of claps, until every microphone has heard one. */
  beginClapTest(token: string): void {
    const test = new ClapTest(this.#backend.channels)
    test.take(this.#sound() ?? [])
    this.#clapTests.set(token, test)
  }

  close(): void {
    clearInterval(this.#timer)
    for (const { response } of this.#followers) response.end()
  }

  #tick(): void {
    const sound = this.#sound()
    const levels = sound?.map(({ array, levels }) => ({ array, levels })) ?? null
    this.#turn += 1
    const condition = this.#turn % conditionEvery === 0 ? this.#condition() : null
    const claps = new Map(
      [...this.#clapTests].map(([token, test]) => [token, { claps: test.take(sound ?? []), missing: test.missing }]),
    )
    for (const follower of this.#followers) {
      const { token, response } = follower
      if (!this.#lasts(token)) {
        tell(response, 'signed-out', {})
        response.end()
        continue
      }
      if (response.writableLength > backlogLimit) response.destroy()
      tell(response, 'sound', levels)
      if (condition !== null) tell(response, 'condition', condition)
      const clap = claps.get(token)
      if (clap !== undefined && (clap.claps.length > 0 || this.#turn % conditionEvery === 0))
        tell(response, 'clap', clap)
    }
    for (const [token, { missing }] of claps)
      if (missing.length === 0 || !this.#lasts(token)) this.#clapTests.delete(token)
  }

  #sound(): SoundReport | null {
    return this.#attempt(() => this.#backend.sound())
  }

  #condition(): unknown {
    return this.#attempt(() => {
      const { condition, findings } = this.#backend.look()
      const { at, online, health, streams, waitingSince } = condition
      const { exercise } = this.#backend
      return { at, online, clock: health?.clock ?? null, streams, waitingSince, findings, exercise }
    })
  }

  /** A file that cannot be read now is read the next time; null until then. */
  #attempt<Result>(work: () => Result): Result | null {
    try {
      return work()
    } catch (error) {
      this.#backend.failed(error)
      return null
    }
  }

  #leave(follower: Follower): void {
    this.#followers.delete(follower)
    if (this.#followers.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

function tell(response: ServerResponse, event: string, data: unknown): void {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
}
