import { contentType } from '../messages/seal.js'
import { parseStream, priorities } from '../messages/stream.js'
import { topicFor } from '../messages/topics.js'
import { type AcknowledgementFault, AcknowledgementReader } from './acknowledgements.js'
import { NotDelivered } from './connection.js'
import type { AlertJournal, DelivererOptions, DeliveryCounters, StreamDelivery } from './delivery-contract.js'
import { HubsPlace } from './hubs-place.js'
import { OutgoingStream } from './outgoing-stream.js'
import { reasonName } from './reasons.js'

const pollInterval = 250
/** Places of the window that only gunfire may use, so that a backlog never holds a shot up; the next comes free with the next answer. */
const reserved = 1

/** Refusals that concern one alert alone: those behind it go on. */
const ofTheAlert: ReadonlySet<string> = new Set(['packet-too-large', 'payload-refused', 'topic-refused'])

/** Publishes what the journals hold, most urgent first, until it is acknowledged. */
export class Deliverer {
  readonly #options: DelivererOptions
  readonly #reader: AcknowledgementReader
  readonly #hubs = new HubsPlace()
  readonly #streams = new Map<string, OutgoingStream>()
  readonly #refused = new Map<string, number>()
  readonly #refusedByBroker = new Map<string, number>()
  #order: OutgoingStream[] = []
  #inFlight = 0
  #connection = 0
  readonly #silent = new Set<string>()
  #counters = { sent: 0, sentAgain: 0, acknowledged: 0, unheard: 0 }
  #timer: NodeJS.Timeout | null = null
  #unobserve: () => void = () => undefined

  constructor(options: DelivererOptions) {
    this.#options = options
    this.#reader = new AcknowledgementReader(options.site, options.gateway, options.hubKeys)
    if (options.acknowledge === 'hub') {
      const topic = topicFor('acknowledgement', { site: options.site, gateway: options.gateway })
      options.session.subscribe(topic, 1, message => this.#acknowledgement(message.payload))
    }
  }

  /** To be made before the session starts, so that the first acknowledgement is not missed. */
  start(): void {
    if (this.#timer !== null) return
    this.#unobserve = this.#options.session.observe(change => {
      if (change.begins) this.#reconnected()
    })
    this.#timer = setInterval(() => this.#poll(), pollInterval)
    if (this.#options.session.online) this.#reconnected()
    else this.#refresh()
  }

  /** Stops sending. Session, journals and progress are the caller's to close. */
  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#unobserve()
  }

  /** These journals have more: to be called when their bells ring. Polling finds it within a quarter of a second otherwise. */
  wake(journals: readonly AlertJournal[] = this.#options.journals): void {
    if (this.#timer === null) return
    this.#refresh(journals)
    this.#pump()
  }

  counters(): DeliveryCounters {
    return {
      ...this.#counters,
      acknowledgementsRefused: Object.fromEntries(this.#refused),
      refusedByBroker: Object.fromEntries(this.#refusedByBroker),
    }
  }

  streams(): StreamDelivery[] {
    return this.#order.map(({ source, epoch, last, acknowledged, outstanding, silent }) => ({
      source,
      epoch,
      last,
      acknowledged,
      outstanding,
      silent,
    }))
  }

  #poll(): void {
    const now = monotonic()
    this.#refresh()
    if (this.#options.session.online) for (const stream of this.#order) this.#advance(stream, () => stream.tick(now))
    this.#tellSilence()
    this.#pump()
  }

  #tellSilence(): void {
    for (const { source, silent, waiting } of this.#order) {
      if (silent === this.#silent.has(source)) continue
      if (silent) this.#silent.add(source)
      // A connection made anew sends again, which is no answer.
      else if (waiting > 0 && this.#streams.get(source)?.outstanding !== 0) continue
      else this.#silent.delete(source)
      this.#options.onNotice?.({ kind: silent ? 'hub-silent' : 'hub-answers', source, waiting })
    }
  }

  #reconnected(): void {
    this.#connection += 1
    this.#inFlight = 0
    this.#refresh()
    const now = monotonic()
    for (const stream of this.#order) stream.reconnected(now)
    this.#pump()
  }

  #refresh(journals = this.#options.journals): void {
    const now = monotonic()
    let changed = false
    for (const journal of journals) {
      try {
        for (const { source, epoch, lastSequence } of journal.streams()) {
          let stream = this.#streams.get(source)
          if (stream?.epoch !== epoch) {
            stream = this.#begin(journal, source, epoch)
            this.#streams.set(source, stream)
            changed = true
          }
          stream.extend(lastSequence, now)
        }
      } catch (error) {
        this.#options.onNotice?.({ kind: 'journal-unreadable', error })
      }
    }
    if (changed) this.#order = [...this.#streams.values()].sort((left, right) => left.rank - right.rank)
  }

  #begin(journal: AlertJournal, source: string, epoch: string): OutgoingStream {
    const priority = parseStream(source)?.priority
    const rank = priority === undefined || priority === 'live' ? -1 : priorities.indexOf(priority)
    return new OutgoingStream({
      source,
      epoch,
      rank: rank === -1 ? priorities.length : rank,
      acknowledged: this.#options.progress.acknowledged(source, epoch),
      window: this.#options.hubWindow ?? 200,
      firstRetry: this.#options.firstRetry ?? 15,
      longestRetry: this.#options.longestRetry ?? 300,
      read: (after, limit) => journal.read(source, epoch, after, limit),
    })
  }

  #pump(): void {
    const { session } = this.#options
    if (this.#timer === null || !session.online) return
    const window = Math.max(1, Math.min(this.#options.window ?? 20, session.receiveMaximum))
    const shared = Math.max(1, window - reserved)
    for (const stream of this.#order) {
      const room = stream.rank === 0 ? window : shared
      while (this.#inFlight < room && stream.hasWork()) {
        if (!this.#send(stream)) break
      }
    }
  }

  #send(stream: OutgoingStream): boolean {
    let taken: ReturnType<OutgoingStream['take']>
    try {
      taken = stream.take(monotonic())
    } catch (error) {
      this.#options.onNotice?.({ kind: 'journal-unreadable', error })
      return false
    }
    if (taken === null) return true
    const { alert, again } = taken
    const { site, gateway, session } = this.#options
    const connection = this.#connection
    const { generation } = stream
    this.#inFlight += 1
    this.#counters.sent += 1
    if (again) this.#counters.sentAgain += 1
    const topic = `polewatch/v1/${site}/${gateway}/${alert.topic}`
    session.publish({ topic, payload: alert.bytes, qos: 1, contentType, urgent: true }).then(
      code => this.#answered(stream, alert.sequence, code, connection, generation),
      (error: unknown) => {
        const why = error instanceof NotDelivered ? error.reason : 'offline'
        if (connection === this.#connection && this.#options.session.online)
          this.#refusedAlert(stream, alert.sequence, why, generation)
      },
    )
    return true
  }

  #answered(stream: OutgoingStream, sequence: number, code: number, connection: number, generation: number): void {
    if (connection !== this.#connection) return
    if (code >= 0x80) {
      this.#refusedAlert(stream, sequence, reasonName(code), generation)
      return
    }
    this.#inFlight -= 1
    const now = monotonic()
    if (code === 0x10) {
      this.#counters.unheard += 1
      if (generation === stream.generation) stream.desert(now)
    } else if (generation === stream.generation) {
      stream.heard(sequence)
      if (this.#options.acknowledge === 'broker') this.#advance(stream, () => stream.confirm(sequence, now))
    }
    // At once: to wait for more answers, for one system call in place of several, has not paid.
    this.#pump()
  }

  #refusedAlert(stream: OutgoingStream, sequence: number, why: string, generation: number): void {
    this.#inFlight -= 1
    count(this.#refusedByBroker, why)
    this.#options.onNotice?.({ kind: 'refused-by-broker', why, source: stream.source })
    if (generation === stream.generation) {
      if (ofTheAlert.has(why)) stream.refuse(sequence, monotonic())
      else stream.desert(monotonic())
    }
    // One that the connection itself refused was answered at once: others must have their turn before the next.
    setImmediate(() => this.#pump())
  }

  #acknowledgement(bytes: Uint8Array): void {
    const read = this.#reader.read(bytes)
    if (typeof read === 'string') {
      this.#refuse(read, null)
      return
    }
    const now = monotonic()
    const { source, epoch, sequence, hub } = read
    // An acknowledgement of what is not delivered by number is how a hub says that it is there.
    if (parseStream(source)?.priority === 'live') {
      for (const each of this.#order) each.ask(now)
      this.#pump()
      return
    }
    const known = this.#streams.get(source)
    if (known === undefined || known.epoch !== epoch || sequence > known.last) this.#refresh()
    const stream = this.#streams.get(source)
    if (stream === undefined) {
      this.#refuse('unknown-stream', source)
      return
    }
    if (stream.epoch !== epoch) {
      this.#refuse('unknown-epoch', source)
      return
    }
    if (sequence > stream.last) {
      this.#refuse('beyond-what-exists', source)
      return
    }
    if (this.#hubs.replayed(read)) {
      this.#refuse('replayed', source)
      return
    }
    const { acknowledged } = stream
    if (sequence < acknowledged) this.#options.onNotice?.({ kind: 'hub-behind', hub, source, sequence, acknowledged })
    if (this.#hubs.lacks(read, acknowledged, now)) this.#deliverAgain(stream, sequence, hub)
    else if (sequence > acknowledged) this.#advance(stream, () => stream.acknowledge(sequence, now))
    else stream.ask(now)
    this.#pump()
  }

  #deliverAgain(stream: OutgoingStream, after: number, hub: string): void {
    const { source, epoch } = stream
    try {
      this.#options.progress.forget(source, epoch)
      if (after > 0) this.#options.progress.acknowledge(source, epoch, after)
    } catch (error) {
      this.#options.onNotice?.({ kind: 'progress-unwritable', error })
    }
    try {
      const gone = stream.rewind(after, monotonic())
      this.#options.onNotice?.({ kind: 'delivered-again', hub, source, epoch, after, gone })
    } catch (error) {
      this.#options.onNotice?.({ kind: 'journal-unreadable', error })
    }
  }

  #advance(stream: OutgoingStream, step: () => void): void {
    const before = stream.acknowledged
    step()
    if (stream.acknowledged === before) return
    this.#counters.acknowledged += stream.acknowledged - before
    this.#record(stream)
  }

  #refuse(why: AcknowledgementFault, source: string | null): void {
    count(this.#refused, why)
    this.#options.onNotice?.({ kind: 'acknowledgement-refused', why, source })
  }

  #record({ source, epoch, acknowledged }: OutgoingStream): void {
    try {
      this.#options.progress.acknowledge(source, epoch, acknowledged)
    } catch (error) {
      this.#options.onNotice?.({ kind: 'progress-unwritable', error })
    }
  }
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}

function monotonic(): number {
  return performance.now() / 1000
}
