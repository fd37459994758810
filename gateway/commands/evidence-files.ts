import { join } from 'node:path'
import { systemClock } from '../../drivers/system-clock.js'
import type { Configuration } from '../config/schema.js'
import { readSecret } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'
import { EvidenceStore } from '../journal/evidence-store.js'
import { formatTime } from '../messages/time.js'
import { keepSeconds, type Policy, permitsEvidence } from '../policy/policy.js'
import type { EvidenceReference } from './plate-hit.js'
import { type Role, systemTime } from './role.js'

/** How often evidence whose time is over is deleted, seconds. */
const purgeEvery = 60

/** What each role keeps evidence of, in a folder of its own within the state folder. */
const kept = {
  sensing: { folder: 'sound', format: 'wav', evidence: 'audio', retained: 'audio' },
  vision: { folder: 'pictures', format: 'jpg', evidence: 'plate-picture', retained: 'picture' },
} as const

/** The roles that keep evidence. */
export const evidenceRoles = ['sensing', 'vision'] as const
export type EvidenceRole = (typeof evidenceRoles)[number]

/** The evidence of a role; it keeps nothing that the policy does not allow. @throws PW_KEY_FILE, PW_KEY_INVALID */
export function evidenceStore(configuration: Configuration, policy: Policy, role: EvidenceRole): EvidenceStore {
  const { folder, format, evidence, retained } = kept[role]
  const { paths, evidence: settings } = configuration
  return new EvidenceStore({
    folder: join(paths.state, folder),
    format,
    keepSeconds: permitsEvidence(policy, evidence) ? keepSeconds(policy, retained) : 0,
    byteLimit: settings.byteLimit,
    key: settings.keyFile === null ? null : keyOf(settings.keyFile),
    clock: systemTime,
  })
}

/** Keeps a piece and records it; null where none may be kept, or the disk refuses, which is logged. */
export function keepEvidence(
  role: Role,
  store: EvidenceStore,
  id: string,
  content: Uint8Array,
): EvidenceReference | null {
  try {
    const piece = store.keep(id, content)
    if (piece === null) return null
    const { sha256, bytes: size, mediaType } = piece
    const until = formatTime(piece.until)
    role.journal
      .record({ action: 'evidence-kept', subject: id, detail: { sha256, bytes: size, mediaType, until } })
      .catch((error: unknown) => role.log.error(messageOf(error)))
    return { id, mediaType, sha256, size, until }
  } catch (error) {
    const { code, message } = new PolewatchError('PW_EVIDENCE_STORE', { why: messageOf(error) }, error)
    role.log.error({ code }, message)
    return null
  }
}

/** Deletes a role's evidence when its time is over and records it, at the start and once a minute. */
export async function purgeEvidence(role: Role, store: EvidenceStore, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const { id, why } of store.purge())
        await role.journal.record({ action: 'evidence-purged', subject: id, detail: { why } })
    } catch (error) {
      role.log.warn({ error: messageOf(error) }, 'evidence whose time is over cannot be deleted')
    }
    await systemClock.sleep(purgeEvery, signal)
  }
}

function keyOf(file: string): Buffer {
  const text = readSecret(file).trim()
  if (!/^[0-9a-f]{64}$/i.test(text))
    throw new PolewatchError('PW_KEY_INVALID', { why: `${file} does not hold 64 hexadecimal digits` })
  return Buffer.from(text, 'hex')
}
