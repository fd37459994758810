import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'tap'
import ts from 'typescript'
import { type ErrorCode, errorTable, PolewatchError } from '../gateway/errors.js'
import { lineOf, nodesOf } from './layout-sources.js'

// The table of errors is held against everything that names a code: sources, scripts, units and pages.

const table: ReadonlyMap<string, { summary: string; advice: string }> = new Map(Object.entries(errorTable))
const codePattern = /\bPW_[A-Z0-9]+(?:_[A-Z0-9]+)*\b/g

interface TextFile {
  readonly path: string
  readonly text: string
}

function filesIn(folder: string, ending: RegExp): TextFile[] {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && ending.test(entry.name))
    .map(entry => `${entry.parentPath}/${entry.name}`)
    .map(path => ({ path, text: readFileSync(path, 'utf8') }))
}

const gateway = filesIn('gateway', /\.ts$/).filter(({ path }) => path !== 'gateway/errors.ts')
const drivers = filesIn('drivers', /\.ts$/)
const others = [
  ...filesIn('scripts', /^[^.]+$|\.(ts|js|sh)$/),
  ...filesIn('test', /\.ts$/),
  ...filesIn('firmware-config', /./),
  ...filesIn('systemd', /./),
  ...filesIn('docs', /\.(md|json)$/),
  ...['README.md', 'CHANGELOG.md'].filter(existsSync).map(path => ({ path, text: readFileSync(path, 'utf8') })),
]

/** Words in braces that a code's sentences have to be given. */
function placeholders(code: string): string[] {
  const { summary = '', advice = '' } = table.get(code) ?? {}
  return [...new Set([...`${summary} ${advice}`.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name))]
}

interface Raised {
  readonly at: string
  readonly code: string
  /** Names of the details given; null where the source does not show them. */
  readonly given: readonly string[] | null
}

/** Where a file makes an error by a code that stands there: `new PolewatchError(…)`, or `super(…)` in a kind of it. */
function raisedIn({ path, text }: TextFile): Raised[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
  return nodesOf(source).flatMap(node => {
    if (!isMaking(node, source)) return []
    const [code, details] = node.arguments ?? []
    const at = `${path}:${lineOf(source, node.getStart(source))}`
    return codesIn(code).map(named => ({ at, code: named, given: namesIn(details) }))
  })
}

function isMaking(node: ts.Node, source: ts.SourceFile): node is ts.NewExpression | ts.CallExpression {
  if (ts.isNewExpression(node)) return node.expression.getText(source) === 'PolewatchError'
  return (
    ts.isCallExpression(node) &&
    node.expression.kind === ts.SyntaxKind.SuperKeyword &&
    codesIn(node.arguments[0]).length > 0
  )
}

function codesIn(code: ts.Expression | undefined): string[] {
  if (code === undefined) return []
  if (ts.isConditionalExpression(code)) return [...codesIn(code.whenTrue), ...codesIn(code.whenFalse)]
  return ts.isStringLiteral(code) && code.text.startsWith('PW_') ? [code.text] : []
}

function namesIn(details: ts.Expression | undefined): string[] | null {
  if (details === undefined) return []
  if (!ts.isObjectLiteralExpression(details)) return null
  const names: string[] = []
  for (const property of details.properties) {
    if (property.name === undefined || ts.isComputedPropertyName(property.name)) return null
    names.push(property.name.text)
  }
  return names
}

/** Sentences about details that an error's sentences need and are not given. */
function missingDetails(file: TextFile): string[] {
  return raisedIn(file).flatMap(({ at, code, given }) => {
    const missing = given === null ? [] : placeholders(code).filter(name => !given.includes(name))
    return missing.map(name => `${at}: ${code} needs {${name}}`)
  })
}

/** Codes in string literals, which is where a code is used and not only spoken of. */
function usedIn({ path, text }: TextFile): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true)
  return nodesOf(source).flatMap(node => (ts.isStringLiteral(node) && table.has(node.text) ? [node.text] : []))
}

test('every error of the table is used by the gateway', t => {
  const used = new Set(gateway.flatMap(usedIn))
  for (const code of table.keys()) t.ok(used.has(code), `${code} is used`)
  t.end()
})

test('every code that is named anywhere is in the table', t => {
  for (const { path, text } of [...gateway, ...others]) {
    for (const [code] of text.matchAll(codePattern)) if (!table.has(code)) t.fail(`${path} names ${code}`)
  }
  t.ok(gateway.length > 10 && others.length > 10, 'files were looked at')
  t.end()
})

test('drivers know no codes', t => {
  for (const { path, text } of drivers) t.notMatch(text, codePattern, path)
  t.end()
})

test('the page of errors has the codes of the table, each once', t => {
  const page = readFileSync('docs/errors.md', 'utf8')
  const documented = [...page.matchAll(/^## (PW_\w+)$/gm)].map(([, code = '']) => code)
  t.strictSame(documented.toSorted(), [...table.keys()].toSorted(), 'npm run generate writes it')
  t.end()
})

test('every error says in a sentence what happened and in another what to do', t => {
  for (const [code, { summary, advice }] of table) {
    t.match(code, /^PW(_[A-Z0-9]+)+$/)
    for (const sentence of [summary, advice]) {
      // What drivers say in detail is a sentence of its own.
      t.match(sentence, /^[A-Z{"'].*(\.|: \{detail\})$/s, `${code}: ${sentence}`)
      t.notMatch(sentence, /\{\W|\{\w*[^\w}]|\s{2}|\.\.$/, `${code} is well formed`)
    }
    t.not(summary, advice)
  }
  t.end()
})

test('wherever the source shows it, an error is given all that its sentences name', t => {
  for (const file of gateway) for (const missing of missingDetails(file)) t.fail(missing)
  t.ok(gateway.flatMap(raisedIn).filter(({ given }) => given !== null).length > 10, 'errors were looked at')
  t.end()
})

test('an error without its details is caught by that', t => {
  const told = (text: string): string[] => missingDetails({ path: 'planted.ts', text })
  t.strictSame(told("throw new PolewatchError('PW_USAGE')"), ['planted.ts:1: PW_USAGE needs {why}'])
  t.strictSame(told("\nnew PolewatchError('PW_USAGE', { file, 'what': 1 })"), ['planted.ts:2: PW_USAGE needs {why}'])
  t.strictSame(told("class Worse extends PolewatchError { constructor() { super('PW_USAGE', {}) } }").length, 1)
  t.strictSame(told("new PolewatchError(late ? 'PW_USAGE' : 'PW_USAGE', {})").length, 2)
  t.strictSame(told("new PolewatchError('PW_USAGE', { why })\nnew PolewatchError('PW_USAGE', details)"), [])
  t.strictSame(told("new PolewatchError('PW_USAGE', { ...details })\nnew PolewatchError(code)"), [])
  t.end()
})

test('an error fills its sentences from its details and keeps its cause', t => {
  const cause = new Error('inner')
  const code: ErrorCode = 'PW_USAGE'
  const error = new PolewatchError(code, { why: 'too many' }, cause)
  t.match(error, {
    code,
    cause,
    name: 'PolewatchError',
    message: errorTable[code].summary.replace('{why}', 'too many'),
  })
  t.match(new PolewatchError(code).message, '{why}', 'what is not given stays visible')
  t.equal(error.advice, errorTable[code].advice)
  t.end()
})
