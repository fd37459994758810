import { messageOf, PolewatchError } from '../errors.js'
import type { Post } from '../journal/exchange.js'
import { parseJsonObject } from '../messages/json.js'
import { contentType, openEvent } from '../messages/seal.js'
import { messageTypes } from '../messages/table.js'
import { topicFor } from '../messages/topics.js'
import type { AuthorisedCommand } from '../uplink/command-authority.js'
import type { CommandAnswer } from '../uplink/commands.js'
import type { DeliverySession } from '../uplink/delivery-contract.js'
import { type EvidenceRole, evidenceRoles } from './evidence-files.js'
import { absenceKind } from './evidence-requests.js'
import { needsVision } from './reader-role.js'
import type { Role } from './role.js'
import { followPosts } from './uplink-posts.js'

/** The roles have this long to answer, and again after each chunk, milliseconds. */
const patience = 15_000

interface Asked {
  readonly chunks: (body: Uint8Array) => void
  readonly absent: (from: EvidenceRole, why: string | null) => void
}

/** Asks the roles that keep evidence for a piece, and passes on what they hand over. */
export class EvidenceCourier {
  readonly #role: Role
  readonly #session: DeliverySession
  readonly #asked = new Map<string, Asked>()

  constructor(role: Role, session: DeliverySession) {
    this.#role = role
    this.#session = session
  }

  /** Listens to the roles until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const take = (from: EvidenceRole, { kind, body }: Post): void => {
      if (kind === absenceKind) {
        const { command, why } = parseJsonObject(body)
        this.#asked.get(String(command))?.absent(from, typeof why === 'string' ? why : null)
        return
      }
      const event = openEvent(body)
      if (event.name === 'evidence') this.#asked.get(event.data.command?.id ?? '')?.chunks(body)
    }
    await Promise.all(
      evidenceRoles.map(from =>
        followPosts(this.#role, ['evidence', absenceKind], post => take(from, post), signal, from),
      ),
    )
  }

  /** Resolves when the whole piece is with the broker. @throws PW_COMMAND_UNAVAILABLE */
  async fetch(id: string, event: AuthorisedCommand['event']): Promise<CommandAnswer> {
    try {
      const { chunks, size, sha256 } = await this.#ask(id, event)
      return {
        detail: `${id} was published in ${chunks === 1 ? 'one message' : `${chunks} messages`}.`,
        result: { id, chunks, size, sha256 },
      }
    } finally {
      this.#asked.delete(event.id)
    }
  }

  #ask(id: string, event: AuthorisedCommand['event']): Promise<{ chunks: number; size: number; sha256: string }> {
    const { configuration, exchange } = this.#role
    const { site, gateway } = configuration
    const waitingFor = new Set<EvidenceRole>(needsVision(configuration) ? evidenceRoles : ['sensing'])
    const topic = topicFor('evidence', { site, gateway: gateway.id, id })
    const { quality, expiresAfter } = messageTypes.evidence
    return new Promise((resolve, reject) => {
      const refuse = (why: string): void =>
        reject(new PolewatchError('PW_COMMAND_UNAVAILABLE', { name: 'evidence', why }))
      const late = setTimeout(() => refuse('the role that keeps it does not answer'), patience).unref()
      let sent = 0
      this.#asked.set(event.id, {
        absent: (from, why) => {
          waitingFor.delete(from)
          if (why !== null) refuse(why)
          else if (waitingFor.size === 0) refuse('nothing of that id is kept, or its time is over')
        },
        chunks: body => {
          const piece = openEvent(body)
          if (piece.name !== 'evidence') return
          late.refresh()
          const expiry = expiresAfter ?? undefined
          const { size, sha256, chunk } = piece.data
          this.#publish({ topic, payload: body, qos: quality, contentType, expiry }).then(() => {
            sent += 1
            if (sent < chunk.count) return
            clearTimeout(late)
            resolve({ chunks: chunk.count, size, sha256 })
          }, reject)
        },
      })
      exchange.post('evidence', Buffer.from(JSON.stringify(event.original)))
    })
  }

  async #publish(request: Parameters<DeliverySession['publish']>[0]): Promise<void> {
    try {
      await this.#session.publish(request)
    } catch (error) {
      throw new PolewatchError('PW_COMMAND_FAILED', { name: 'evidence', why: messageOf(error) }, error)
    }
  }
}
