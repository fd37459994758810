import { type Document, isMap, parseDocument } from 'yaml'
import { PolewatchError } from '../errors.js'

/** Brings a configuration to the next version, in place, so that its comments and order stay. It sees nothing else. */
export type Migration = (document: Document) => void

/** The first brings version 1 to version 2, and so on. One that was released is never changed; test/golden/configuration has a file of each version. */
export const migrations: readonly Migration[] = []

/** The version that this program writes and checks. */
export const currentVersion = migrations.length + 1

export interface Migrated {
  /** The text itself where there was nothing to do. */
  readonly text: string
  /** The version that it had; null where it names none that could be read, which checking complains of. */
  readonly from: number | null
}

/** A configuration's text as this program reads it. `file` names it in errors. @throws PW_CONFIG_NEWER */
export function migrateText(text: string, file: string, steps: readonly Migration[] = migrations): Migrated {
  const document = parseDocument(text)
  const version = document.errors.length === 0 && isMap(document.contents) ? document.get('version') : null
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) return { text, from: null }
  const known = steps.length + 1
  if (version > known) throw new PolewatchError('PW_CONFIG_NEWER', { file, version, known })
  if (version === known) return { text, from: version }
  for (const step of steps.slice(version - 1)) step(document)
  document.set('version', known)
  return { text: document.toString({ lineWidth: 0 }), from: version }
}
