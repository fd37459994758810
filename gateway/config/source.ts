import { type Alias, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

export type Path = readonly (string | number)[]

/** Offsets into the text: where a value starts and ends and, for a value in a mapping, where its key starts. */
export interface Place {
  readonly key: number | null
  readonly start: number
  readonly end: number
}

/** Something in the text that cannot be read as a tree of mappings, lists and values. */
export interface SourceFault {
  readonly at: number
  readonly path: Path
  readonly found: string
  readonly allowed: string
}

/** YAML text as plain values, and where in the text each of them stands. */
export interface Source {
  readonly text: string
  readonly value: unknown
  /** Offset from which the text could not be understood; Infinity where all of it could. */
  readonly understoodUntil: number
  readonly faults: readonly SourceFault[]
  place(path: Path): Place | null
  /** Line and column of an offset, both counted from 1. */
  position(offset: number): { line: number; column: number }
}

const largestTree = 20000
const deepestTree = 40

/** Reads YAML 1.2 (core schema, one document). Never throws: what is wrong is in `faults`. */
export function readSource(text: string): Source {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: false, prettyErrors: false })
  const faults: SourceFault[] = []
  for (const { pos, message } of [...document.errors, ...document.warnings]) {
    faults.push({
      at: pos[0],
      path: [],
      found: `a syntax error (${sentence(message)})`,
      allowed: 'YAML 1.2, one document',
    })
  }
  const tree = new Tree(document, text, faults)
  const value = tree.plain(document.contents, [], null)
  return {
    text,
    value,
    understoodUntil: document.errors.reduce((first, { pos }) => Math.min(first, pos[0]), Number.POSITIVE_INFINITY),
    faults,
    place: path => tree.places.get(JSON.stringify(path)) ?? null,
    position: offset => {
      const { line, col } = lines.linePos(Math.min(Math.max(offset, 0), text.length))
      return { line: Math.max(line, 1), column: Math.max(col, 1) }
    },
  }
}

class Tree {
  readonly places = new Map<string, Place>()
  readonly #document: Document
  readonly #text: string
  readonly #faults: SourceFault[]
  #size = 0

  constructor(document: Document, text: string, faults: SourceFault[]) {
    this.#document = document
    this.#text = text
    this.#faults = faults
  }

  /** The node as a plain value; undefined where it cannot be one. */
  plain(node: Node | null | undefined, path: Path, key: number | null): unknown {
    this.#size += 1
    if (this.#size === largestTree || path.length > deepestTree) {
      const allowed = `at most ${largestTree} values, nested at most ${deepestTree} deep, aliases counted each time`
      this.#fault(node, path, 'more than can be read', allowed)
    }
    if (this.#size >= largestTree || path.length > deepestTree) return undefined
    const [start = 0, end = start] = node?.range ?? (key === null ? [] : [key])
    this.places.set(JSON.stringify(path), { key, start, end })
    if (isAlias(node)) return this.#aliased(node, path, key)
    if (isMap(node)) return this.#mapping(node.items, path)
    if (isSeq(node)) return node.items.map((item, index) => this.plain(asNode(item), [...path, index], null))
    return isScalar(node) ? node.value : null
  }

  #aliased(alias: Alias, path: Path, key: number | null): unknown {
    const target = alias.resolve(this.#document)
    if (target !== undefined) return this.plain(target, path, key)
    this.#fault(alias, path, `*${alias.source}`, 'the name of an anchor (&name) further up')
    return undefined
  }

  #mapping(items: readonly { key: unknown; value: unknown }[], path: Path): Record<string, unknown> {
    const entries = new Map<string, unknown>()
    const firstSeen = new Map<string, number>()
    for (const { key, value } of items) {
      const keyNode = asNode(key)
      const name = isScalar(keyNode) ? String(keyNode.value) : null
      if (name === null || name === '__proto__') {
        const found = name ?? this.#text.slice(...(keyNode?.range ?? [0, 0]))
        this.#fault(keyNode, path, `the key ${found}`, 'keys that are plain text')
        continue
      }
      const at = keyNode?.range?.[0] ?? 0
      const before = firstSeen.get(name)
      if (before === undefined) firstSeen.set(name, at)
      else {
        const line = this.#text.slice(0, before).split('\n').length
        this.#fault(keyNode, [...path, name], `${name} again, after line ${line}`, 'each key once')
      }
      entries.set(name, this.plain(asNode(value), [...path, name], at))
    }
    return Object.fromEntries(entries)
  }

  #fault(node: Node | null | undefined, path: Path, found: string, allowed: string): void {
    this.#faults.push({ at: node?.range?.[0] ?? 0, path, found, allowed })
  }
}

function asNode(value: unknown): Node | null {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value) ? value : null
}

function sentence(message: string): string {
  const first = message.split('\n', 1)[0] ?? ''
  return first
    .replace(/; please use YAML\..*$/, '')
    .replace(/[.:]\s*$/, '')
    .replace('"quote', 'quote')
}
