import { randomUUID } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import type { Configuration } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'
import { watchBells } from '../journal/bell.js'
import { Exchange, type ExchangeCursor, ExchangeReader, type Post } from '../journal/exchange.js'
import { formatTime } from '../messages/time.js'
import type { ConditionReader } from './gateway-condition.js'
import { type Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'

/*
 * Whoever stands under the pole asks sensing for an alert that is marked as an exercise: by a post in an exchange of the asker,
 * since each file has one writer. Sensing answers in its own where the alert stands. Any process of the group may ask;
 * what it gets is an exercise, and no more than one every ten seconds.
 */

/** The name of the fault that it tells of, of which there is none. */
export const exerciseFault = 'exercise'

const kind = 'exercise-alert'
/** Key in the exchange of sensing: where the alert that was asked for stands. */
const answerKey = 'exercise-alert'
/** An older request is over, seconds. One that comes sooner after another waits, and the newest of them is obeyed. */
const requestLimit = 30
const restBetween = 10

const request = z.object({ id: z.string().max(64) })
const place = z.object({ id: z.string(), source: z.string(), epoch: z.string(), sequence: z.number() })

/** Exchanges that requests come from: that of `polewatch check`, and that of the console. */
function askersOf(paths: Configuration['paths']): string[] {
  return [join(paths.runtime, 'check.exchange.db'), rolePaths(paths, 'console').exchange]
}

interface Asker {
  readonly reader: ExchangeReader
  cursor: ExchangeCursor | undefined
}

/** Makes the alerts asked for until the signal aborts. */
export async function followExerciseRequests(role: Role, signal: AbortSignal): Promise<void> {
  const { paths } = role.configuration
  const askers = askersOf(paths).map((path): Asker => ({ reader: new ExchangeReader(path), cursor: undefined }))
  let last = Number.NEGATIVE_INFINITY
  let wanted: Post | null = null
  const look = (): void => {
    try {
      for (const asker of askers) {
        const { cursor, posts } = asker.reader.after(asker.cursor, [kind])
        asker.cursor = cursor
        wanted = posts.at(-1) ?? wanted
      }
      const now = performance.now() / 1000
      if (wanted === null || now - last < restBetween) return
      const { postedAt, body } = wanted
      wanted = null
      if (systemTime() - postedAt > requestLimit) return
      last = now
      const { id } = request.parse(JSON.parse(body.toString('utf8')))
      // Logged by the role.
      makeAlert(role, id).catch(() => {})
    } catch (error) {
      role.log.warn({ error: messageOf(error) }, 'a request for an exercise alert cannot be read')
    }
  }
  await watchBells(paths.runtime, look, { signal })
  for (const { reader } of askers) reader.close()
}

/** A fault that begins and is over at once, so that no hub goes on showing it. */
async function makeAlert(role: Role, id: string): Promise<void> {
  const now = systemTime()
  const draft = (state: 'raised' | 'cleared') => ({
    name: 'fault' as const,
    time: now,
    exercise: true,
    subject: 'exercise',
    data: {
      fault: exerciseFault,
      code: null,
      part: 'exercise',
      state,
      detail: 'Somebody at the unit tries whether alerts arrive. Nothing is wrong.',
      since: formatTime(now),
    },
  })
  await role.append(draft('raised'))
  const { source, epoch, sequence } = await role.append(draft('cleared'))
  role.exchange.set(answerKey, JSON.stringify({ id, source, epoch, sequence }))
}

export interface ExerciseOutcome {
  /** The alert as the hub names it. */
  readonly source: string
  readonly sequence: number
  /** From the request until the hub had it, seconds; null where it did not come to that. */
  readonly acknowledgedAfter: number | null
}

/**
 * Has sensing make an alert and waits until the hub has it.
 * @param post puts the request into the asker's exchange
 * @throws PW_EXERCISE_UNANSWERED where sensing makes none
 */
export async function exerciseAlert(
  reader: ConditionReader,
  post: (kind: string, body: string) => void,
  seconds: number,
): Promise<ExerciseOutcome> {
  const id = randomUUID()
  const began = performance.now() / 1000
  const waited = (): number => performance.now() / 1000 - began
  post(kind, JSON.stringify({ id }))
  const answered = (): z.infer<typeof place> | null => {
    const answer = reader.value('sensing', answerKey, place)
    return answer?.id === id ? answer : null
  }
  let made = answered()
  for (; made === null; made = answered()) {
    if (waited() > requestLimit) throw new PolewatchError('PW_EXERCISE_UNANSWERED')
    await pause(100)
  }
  const { source, epoch, sequence } = made
  const has = (): boolean =>
    reader.streams().some(each => each.source === source && each.epoch === epoch && each.acknowledged >= sequence)
  while (!has()) {
    if (waited() > seconds) return { source, sequence, acknowledgedAfter: null }
    await pause(100)
  }
  return { source, sequence, acknowledgedAfter: waited() }
}

/** Runs `work` with an exchange of `polewatch check`, which is gone afterwards. @throws PW_JOURNAL_IN_USE while another check asks */
export async function withCheckExchange<Result>(
  paths: Configuration['paths'],
  work: (post: (kind: string, body: string) => void) => Promise<Result>,
): Promise<Result> {
  const [path = ''] = askersOf(paths)
  const exchange = Exchange.open({ path, clock: systemTime })
  try {
    return await work((kind, body) => exchange.post(kind, body))
  } finally {
    exchange.close()
    // Another user's next check could not write them.
    for (const part of ['', '-wal', '-shm', '.lock']) rmSync(path + part, { force: true })
  }
}
