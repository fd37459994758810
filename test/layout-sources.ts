import { builtinModules } from 'node:module'
import { posix } from 'node:path'
import ts from 'typescript'

// What the import law has to know of a source file, read by TypeScript's own parser.

/** How one file leans on another file or package. `to` is a path from the root, a package, or null if it cannot be told. */
export interface Reference {
  readonly from: string
  readonly to: string | null
  readonly line: number
  /** Started or looked up by its address, not loaded into this module. */
  readonly address: boolean
}

export function referencesOf(source: ts.SourceFile, files: ReadonlyMap<string, string>): Reference[] {
  const references: Reference[] = []
  const nodes = nodesOf(source)
  const loaders = loaderNames(nodes)
  const add = (specifier: ts.Node | undefined, address = false): void => {
    if (specifier === undefined) return
    const literal = ts.isLiteralTypeNode(specifier) ? specifier.literal : specifier
    const to = ts.isStringLiteralLike(literal) ? resolved(source.fileName, literal.text, files) : null
    references.push({ from: source.fileName, to, line: lineOf(source, specifier.getStart(source)), address })
  }
  for (const node of nodes) {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier)
    else if (ts.isExternalModuleReference(node)) add(node.expression)
    else if (ts.isImportTypeNode(node)) add(node.argument)
    else if (ts.isCallExpression(node) && isLoader(node.expression, loaders)) add(node.arguments[0])
    else if (ts.isNewExpression(node) && node.expression.getText(source) === 'URL') {
      const [address, base] = node.arguments ?? []
      const isModule =
        address !== undefined && ts.isStringLiteralLike(address) && /^\.{1,2}\/.*\.[cm]?js$/.test(address.text)
      if (isModule && base?.getText(source) === 'import.meta.url') add(address, true)
    }
  }
  return references
}

const loaderMethods = ['resolve', 'getBuiltinModule', 'require']

function isLoader(callee: ts.Expression, loaders: ReadonlySet<string>): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return true
  if (ts.isIdentifier(callee)) return loaders.has(callee.text)
  if (ts.isCallExpression(callee)) return isMaker(callee.expression, loaders)
  if (!ts.isPropertyAccessExpression(callee) || !loaderMethods.includes(callee.name.text)) return false
  const owner = callee.expression
  return ts.isMetaProperty(owner) || (ts.isIdentifier(owner) && [...loaders, 'process', 'module'].includes(owner.text))
}

/** Names that load a module when called: `require`, and what `createRequire` made. A maker is kept as `make:name`. */
function loaderNames(nodes: readonly ts.Node[]): Set<string> {
  const names = new Set(['require', 'make:createRequire'])
  for (const node of nodes) {
    if (ts.isImportSpecifier(node) && node.propertyName?.text === 'createRequire') names.add(`make:${node.name.text}`)
  }
  for (const node of nodes) {
    if (!ts.isVariableDeclaration(node) || !ts.isIdentifier(node.name) || node.initializer === undefined) continue
    if (ts.isCallExpression(node.initializer) && isMaker(node.initializer.expression, names)) names.add(node.name.text)
  }
  return names
}

function isMaker(callee: ts.Expression, names: ReadonlySet<string>): boolean {
  const name = ts.isPropertyAccessExpression(callee) ? callee.name : callee
  return ts.isIdentifier(name) && names.has(`make:${name.text}`)
}

function resolved(from: string, specifier: string, files: ReadonlyMap<string, string>): string | null {
  if (specifier.startsWith('.')) {
    const path = posix.join(posix.dirname(from), specifier)
    return files.has(path) ? path : path.replace(/\.([cm]?)js$/, '.$1ts')
  }
  if (/^(\/|#|file:|data:)/.test(specifier)) return null
  if (specifier.startsWith('node:') || builtinModules.includes(specifier))
    return `node:${specifier.replace('node:', '')}`
  if (specifier === 'polewatch/hub') return 'gateway/hub/index.ts'
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

const surroundings = new Set([
  ...['process', 'performance', 'globalThis', 'global', 'require', 'module', 'console', 'eval', 'Function', 'Intl'],
  ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'AbortSignal', 'Temporal'],
  ...['crypto', 'fetch', 'WebSocket', 'EventSource', 'navigator', 'BroadcastChannel'],
])

/** Uses of globals that pure code must not have. Names declared in the file itself are its own affair. */
export function impurities(sources: readonly ts.SourceFile[]): { at: string; what: string }[] {
  const byName = new Map(sources.map(source => [source.fileName, source]))
  const host: ts.CompilerHost = {
    ...ts.createCompilerHost({}),
    getSourceFile: name => byName.get(name),
    fileExists: name => byName.has(name),
    getCurrentDirectory: () => '',
  }
  const options = { noLib: true, noResolve: true, types: [], target: ts.ScriptTarget.ES2023 }
  const checker = ts.createProgram([...byName.keys()], options, host).getTypeChecker()
  return sources.flatMap(source =>
    nodesOf(source).flatMap(node => {
      if (!ts.isIdentifier(node) || !isImpure(node) || isDeclaredHere(node, checker)) return []
      return [
        {
          at: `${source.fileName}:${lineOf(source, node.getStart(source))}`,
          what: node.parent.getText(source),
        },
      ]
    }),
  )
}

function isImpure(name: ts.Identifier): boolean {
  const { parent } = name
  const isMember = ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)
  if (isMember ? parent.name === name : ts.isBindingElement(parent) && parent.propertyName === name) return false
  if (ts.isTypeReferenceNode(parent) || ts.isTypeQueryNode(parent) || ts.isQualifiedName(parent)) return false
  if (ts.isClassElement(parent) || ts.isTypeElement(parent) || ts.isLabeledStatement(parent)) return false
  const property = ts.isPropertyAccessExpression(parent) && parent.expression === name ? parent.name.text : null
  if (name.text === 'Math') return property === null || property === 'random'
  if (name.text !== 'Date') return surroundings.has(name.text)
  const made = ts.isNewExpression(parent) && parent.expression === name ? (parent.arguments?.length ?? 0) : 0
  return made === 0 && property !== 'UTC' && property !== 'parse'
}

function isDeclaredHere(name: ts.Identifier, checker: ts.TypeChecker): boolean {
  const symbol = ts.isShorthandPropertyAssignment(name.parent)
    ? checker.getShorthandAssignmentValueSymbol(name.parent)
    : checker.getSymbolAtLocation(name)
  const declarations = symbol?.declarations ?? []
  return declarations.some(declaration => (ts.getCombinedModifierFlags(declaration) & ts.ModifierFlags.Ambient) === 0)
}

export function nodesOf(root: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = []
  const visit = (node: ts.Node): void => {
    nodes.push(node)
    ts.forEachChild(node, visit)
  }
  visit(root)
  return nodes
}

export function commentsOf(source: ts.SourceFile): { at: number; text: string }[] {
  const comments = new Map<number, string>()
  const gather = (start: number, end: number): void => {
    comments.set(start, source.text.slice(start, end))
  }
  const visit = (node: ts.Node): void => {
    ts.forEachLeadingCommentRange(source.text, node.getFullStart(), gather)
    ts.forEachTrailingCommentRange(source.text, node.getEnd(), gather)
    for (const child of node.getChildren(source)) visit(child)
  }
  visit(source)
  return [...comments].map(([at, text]) => ({ at, text }))
}

export function lineOf(source: ts.SourceFile, position: number): number {
  return source.getLineAndCharacterOfPosition(position).line + 1
}
