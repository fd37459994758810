import { createHash } from 'node:crypto'
import { messageOf, PolewatchError } from '../errors.js'
import type { EvidenceStore } from '../journal/evidence-store.js'
import { commandArguments } from '../messages/commands.js'
import { type Policy, permitsRequest } from '../policy/policy.js'
import { type AuthorisedCommand, argumentsOf, type CommandAuthority } from '../uplink/command-authority.js'
import { type Role, systemTime } from './role.js'
import { followPosts, roleAuthority } from './uplink-posts.js'

/*
 * What the hub asks of evidence reaches the role that keeps it through uplink's exchange: posts of the kind `evidence`, each the hub's
 * signed command as it came. The role checks signature, key, purpose, time and policy again, records who asked and why, and only
 * then posts the piece in its own exchange: chunks of the kind `evidence`, signed with its own key, or one post of the kind
 * `evidence-absent`. Uplink passes the chunks on as they are, and can neither take evidence by itself nor change any.
 */

/** One post of the kind `evidence-absent`, as JSON. */
export interface EvidenceAbsence {
  /** The command's id. */
  readonly command: string
  /** For a person; null where this role keeps no such piece. */
  readonly why: string | null
}

export const absenceKind = 'evidence-absent'

/** Bytes of a piece in one message, which then stays within the limit of a message. */
const chunkLength = 131_072

/** Hands evidence over to whom the policy lets ask, until the signal aborts. */
export async function answerEvidenceRequests(
  role: Role,
  store: EvidenceStore,
  policy: Policy,
  signal: AbortSignal,
): Promise<void> {
  const authority = roleAuthority(role)
  if (authority === null) return
  const answered = new Set<string>()
  const answer = async (body: Uint8Array): Promise<void> => {
    const command = authorised(authority, body)
    if (answered.has(command.token)) return
    answered.add(command.token)
    const why = await handOver(role, store, policy, command)
    if (why === undefined) return
    const absence: EvidenceAbsence = { command: command.event.id, why }
    role.exchange.post(absenceKind, JSON.stringify(absence))
  }
  await followPosts(
    role,
    ['evidence'],
    ({ body }, earlier) => {
      if (!earlier)
        answer(body).catch((error: unknown) =>
          role.log.warn({ error: messageOf(error) }, 'evidence that uplink asked for is not handed over'),
        )
    },
    signal,
  )
}

function authorised(authority: CommandAuthority, body: Uint8Array): AuthorisedCommand {
  const command = authority.check('evidence', body, systemTime())
  if ('error' in command) throw command.error
  return command
}

/** Undefined where the piece was handed over, null where this role has none, otherwise why not. */
async function handOver(
  role: Role,
  store: EvidenceStore,
  policy: Policy,
  command: AuthorisedCommand,
): Promise<string | null | undefined> {
  const { id } = argumentsOf(commandArguments.evidence, command)
  const { requestedBy, purpose, key, event } = command
  if (!permitsRequest(policy, requestedBy, 'evidence')) return 'the policy does not let that role ask for evidence'
  let piece: ReturnType<EvidenceStore['read']>
  try {
    piece = store.read(id)
  } catch (error) {
    const fault = new PolewatchError('PW_EVIDENCE_STORE', { why: messageOf(error) }, error)
    role.log.error({ code: fault.code }, fault.message)
    return 'it cannot be read'
  }
  if (piece === null) return null
  const { mediaType, content } = piece
  const sha256 = createHash('sha256').update(content).digest('hex')
  const detail = { sha256, bytes: content.length, requestedBy, purpose, key, hub: event.source, command: event.id }
  // Nobody sees what nobody can be held to account for: without the record there is no piece.
  await role.journal.record({ action: 'evidence-released', subject: id, detail })
  const count = Math.max(1, Math.ceil(content.length / chunkLength))
  for (let index = 0; index < count; index++) {
    const bytes = Buffer.from(content.subarray(index * chunkLength, (index + 1) * chunkLength)).toString('base64')
    role.post({
      name: 'evidence',
      time: systemTime(),
      exercise: role.configuration.exercise,
      subject: id,
      data: {
        id,
        command: { source: event.source, id: event.id },
        mediaType,
        sha256,
        size: content.length,
        chunk: { index, count, bytes },
      },
    })
  }
  return undefined
}
