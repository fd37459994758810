import canonicalizePackage from 'canonicalize'

/** JSON that every implementation understands alike: the I-JSON profile, RFC 7493, which RFC 8785 asks for. */

export type JsonObject = { readonly [key: string]: unknown }

const deepest = 32

// The package is CommonJS while its declarations describe an ES module, so what it really exports is checked here.
const serialize: unknown = canonicalizePackage
if (!isSerializer(serialize)) throw new TypeError('canonicalize does not export a function')
const canonicalize = serialize

function isSerializer(value: unknown): value is (input: unknown) => string | undefined {
  return typeof value === 'function'
}

/**
 * The canonical form of RFC 8785.
 * @throws TypeError, its message naming what was found, for what I-JSON cannot hold: undefined, numbers that are not
 *   finite, lone surrogates, objects that are no plain data, more than 32 levels
 */
export function canonicalJson(value: unknown): string {
  const problem = problemOf(value, 0)
  if (problem !== null) throw new TypeError(problem)
  const text = canonicalize(value)
  if (text === undefined) throw new TypeError('not JSON')
  return text
}

/**
 * Reads one JSON object from UTF-8.
 * @throws SyntaxError for text that is not JSON; TypeError, its message naming what was found, for bytes that are not
 *   UTF-8, text that is not I-JSON (a name twice, a lone surrogate, a number too large), a name `__proto__`, more than 32
 *   levels, anything but an object
 */
export function parseJsonObject(bytes: Uint8Array): JsonObject {
  const text = decoded(bytes)
  const value: unknown = JSON.parse(text)
  if (!isJsonObject(value)) throw new TypeError('no object')
  const problem = problemOf(value, 0)
  if (problem !== null) throw new TypeError(problem)
  // A name given twice vanishes in parsing, so text that comes out unchanged holds none and need not be searched.
  if (JSON.stringify(value) !== text && namesTwice(text)) throw new TypeError('a name twice')
  return value
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new TypeError('bytes that are not UTF-8', { cause: error })
  }
}

/** Why a value is not I-JSON, or null. */
function problemOf(value: unknown, depth: number): string | null {
  if (value === null || typeof value === 'boolean') return null
  if (typeof value === 'string') return value.isWellFormed() ? null : 'a lone surrogate'
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'a number that is not finite'
  if (typeof value !== 'object') return `a value of type ${typeof value}`
  if (depth >= deepest) return `more than ${deepest} levels`
  if (Array.isArray(value)) return firstProblem(value, depth + 1)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return 'an object that is no plain data'
  if (Object.hasOwn(value, '__proto__')) return 'a property named __proto__'
  return firstProblem(Object.keys(value), depth + 1) ?? firstProblem(Object.values(value), depth + 1)
}

function firstProblem(values: readonly unknown[], depth: number): string | null {
  for (const value of values) {
    const problem = problemOf(value, depth)
    if (problem !== null) return problem
  }
  return null
}

/** Whether an object in valid JSON text gives a name twice. */
function namesTwice(text: string): boolean {
  const open: (Set<string> | null)[] = []
  let last = ''
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(null)
    else if (token === '}' || token === ']') open.pop()
    else if (token === ':') {
      const names = open.at(-1)
      const name = String(JSON.parse(last))
      if (names?.has(name)) return true
      names?.add(name)
    }
    last = token
  }
  return false
}
