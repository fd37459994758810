import { parseDocument } from 'yaml'
import type { Path } from './source.js'

export interface Edit {
  readonly path: Path
  /** Undefined removes the key. */
  readonly value: unknown
}

/** YAML text with some values set or removed, its comments and order kept. The result is unchecked. */
export function editConfiguration(text: string, edits: readonly Edit[]): string {
  const document = parseDocument(text)
  for (const { path, value } of edits) {
    if (value === undefined) document.deleteIn(path)
    else document.setIn(path, document.createNode(value))
  }
  return document.toString({ lineWidth: 0 })
}
