import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { test } from 'tap'
import ts from 'typescript'
import { commentsOf, impurities, lineOf, nodesOf, type Reference, referencesOf } from './layout-sources.js'

/*
 * The import law of the project, held against every source file and against planted files that break it, one for each way.
 * `import type` counts like any import: what a folder must not know it must not know by type either.
 */

const pureFolders = ['timebase', 'acoustics', 'plates', 'policy'].map(name => `gateway/${name}/`)
/** What pure folders may lean on: these neither do I/O nor read a clock. */
const pureFiles = ['gateway/errors.ts']
const purePackages = ['zod', 'ngeohash', 'canonicalize']

/** Who may import a package that is native or speaks to the outside; a test of the owner may as well. */
const owners: Readonly<Record<string, readonly string[]>> = {
  'better-sqlite3': ['gateway/journal/', 'gateway/hotlist/'],
  mqtt: ['gateway/uplink/', 'gateway/hub/', 'scripts/delivery/'],
  serialport: ['drivers/plate-reader/', 'drivers/gnss/', 'drivers/sensor-board/'],
  'node-av': ['drivers/microphone-array/', 'drivers/camera/'],
  onoff: ['drivers/digital-io/'],
  'johnny-five': ['drivers/sensor-board/'],
  'firmata-io': ['drivers/sensor-board/'],
  'onnxruntime-node': ['gateway/vision/'],
  sharp: ['gateway/vision/'],
  'unix-dgram': ['gateway/health/'],
  fastify: ['gateway/console/'],
  'playwright-core': ['test/console/'],
}
const ownersByScope: Readonly<Record<string, string>> = { '@serialport': 'serialport' }
/** Tests of several parts at once, which may need any of these packages. */
const wholeTests = ['test/contracts/', 'test/simulations/', 'test/machine/']

/** What works relays, each with the only file that may lean on it: from plates no way leads there. */
const relayWorks: Readonly<Record<string, string>> = {
  'gateway/commands/relay.ts': 'gateway/commands/switch-outputs.ts',
  'gateway/commands/switch-outputs.ts': 'gateway/commands/switches.ts',
  'gateway/commands/switch-devices.ts': 'gateway/commands/switches.ts',
  'gateway/commands/switch-board.ts': 'gateway/commands/switches.ts',
  'gateway/commands/switches.ts': 'gateway/commands/sensing.ts',
}
const plateKnowledge = [
  ...['gateway/plates/', 'gateway/hotlist/', 'gateway/vision/', 'gateway/commands/plate', 'gateway/commands/hotlist'],
  ...[
    'gateway/commands/read-plates.ts',
    'gateway/commands/watch-camera.ts',
    'drivers/plate-reader/',
    'drivers/camera/',
  ],
]

const gatewayFolders = [
  ...['commands', 'config', 'messages', 'timebase', 'acoustics', 'plates', 'hotlist', 'vision', 'policy', 'journal'],
  ...['uplink', 'hub', 'health', 'console'],
]
const driverFolders = ['microphone-array', 'plate-reader', 'camera', 'gnss', 'digital-io', 'sensor-board']
const knownFolders: Readonly<Record<string, readonly string[]>> = {
  '': ['gateway', 'drivers', 'firmware-config', 'scripts', 'test', 'systemd', 'docs', '.ci', '.git'],
  gateway: gatewayFolders,
  drivers: driverFolders,
  'firmware-config': ['host', 'devices'],
  test: [...gatewayFolders, ...driverFolders, 'drivers', 'config', 'contracts', 'simulations', 'golden', 'machine'],
}

interface World {
  /** Text of every source file by its path from the root. */
  readonly files: ReadonlyMap<string, string>
  /** Every folder that is part of the project. */
  readonly folders: readonly string[]
}

interface Violation {
  readonly rule: string
  readonly at: string
  readonly what: string
}

const silencing = /@ts-(ignore|nocheck)/

type Rule = (world: World, sources: readonly ts.SourceFile[], references: readonly Reference[]) => Violation[]

const rules: Readonly<Record<string, Rule>> = {
  'every import can be read off the source': (_, __, references) =>
    broken(references, ({ to }) => to === null, 'an import by something other than a plain text'),

  'drivers import nothing from gateway': (_, __, references) =>
    broken(references, ({ from, to }) => within(from, 'drivers/') && within(to, 'gateway/')),

  'only commands and tests import drivers': (_, __, references) =>
    broken(references, ({ from, to }) => {
      if (!within(to, 'drivers/') || from.startsWith('drivers/')) return false
      return !within(from, 'gateway/commands/', 'test/')
    }),

  'nothing that runs imports scripts or tests': (_, __, references) =>
    broken(references, ({ from, to }) => {
      const running = within(from, 'gateway/', 'drivers/')
      return (running && within(to, 'scripts/', 'test/')) || (within(from, 'scripts/') && within(to, 'test/'))
    }),

  'pure folders import only what is pure': (_, __, references) =>
    broken(references, ({ from, to }) => {
      if (!isPure(from) || to === null || isPure(to)) return false
      return !purePackages.includes(to)
    }),

  'pure folders read no clock, no chance and no surroundings': (_, sources) =>
    impurities(sources.filter(({ fileName }) => isPure(fileName))).map(found => ({ rule: '', ...found })),

  'a native package has one owner': (_, __, references) =>
    broken(references, ({ from, to }) => {
      const scope = to?.split('/', 1)[0] ?? ''
      const allowed = owners[ownersByScope[scope] ?? to ?? '']
      return allowed !== undefined && !within(from, ...allowed, ...allowed.flatMap(testsOf), ...wholeTests)
    }),

  'a relay knows no plate, and no plate reaches a relay': (_, __, references) =>
    broken(references, ({ from, to }) => {
      if (within(from, 'test/')) return false
      const only = relayWorks[to ?? '']
      return (only !== undefined && only !== from) || (from in relayWorks && within(to, ...plateKnowledge))
    }),

  'imports make no circle': (_, __, references) => circles(references.filter(({ address }) => !address)),

  'no folder is called utils, types or common': ({ folders }) =>
    folders
      .filter(folder => ['utils', 'types', 'common'].includes(posix.basename(folder)))
      .map(at => ({ rule: '', at, what: 'a name that says nothing' })),

  'folders are those of the design': ({ folders }) =>
    folders.flatMap(at => {
      const parent = posix.dirname(at) === '.' ? '' : posix.dirname(at)
      const known = knownFolders[parent]
      return known === undefined || known.includes(posix.basename(at))
        ? []
        : [{ rule: '', at, what: 'an unknown folder' }]
    }),

  'no value is of type any': (_, sources) =>
    sources.flatMap(source =>
      nodesOf(source)
        .filter(node => node.kind === ts.SyntaxKind.AnyKeyword)
        .map(node => ({ rule: '', at: `${source.fileName}:${lineOf(source, node.getStart(source))}`, what: 'any' })),
    ),

  'no comment silences the compiler': (_, sources) =>
    sources.flatMap(source =>
      (silencing.test(source.text) ? commentsOf(source) : [])
        .filter(({ text }) => silencing.test(text))
        .map(({ at }) => ({ rule: '', at: `${source.fileName}:${lineOf(source, at)}`, what: 'a silencing comment' })),
    ),
}

function violations(world: World): Violation[] {
  const sources = [...world.files].map(([path, text]) => ts.createSourceFile(path, text, ts.ScriptTarget.ES2023, true))
  const references = sources.flatMap(source => referencesOf(source, world.files))
  return Object.entries(rules).flatMap(([name, rule]) =>
    rule(world, sources, references).map(violation => ({ ...violation, rule: name })),
  )
}

function broken(
  references: readonly Reference[],
  isBroken: (reference: Reference) => boolean,
  what?: string,
): Violation[] {
  return references
    .filter(isBroken)
    .map(({ from, to, line }) => ({ rule: '', at: `${from}:${line}`, what: what ?? `imports ${to}` }))
}

function within(path: string | null, ...folders: string[]): boolean {
  return folders.some(folder => path?.startsWith(folder) === true)
}

function isPure(path: string): boolean {
  return within(path, ...pureFolders) || pureFiles.includes(path)
}

function testsOf(folder: string): string[] {
  const name = posix.basename(folder)
  return [`test/${name}/`, `test/${folder}`]
}

/** Files that import each other in a circle, each circle once. */
function circles(references: readonly Reference[]): Violation[] {
  const imports = new Map<string, string[]>()
  for (const { from, to } of references) if (to !== null) imports.set(from, [...(imports.get(from) ?? []), to])
  const done = new Set<string>()
  const found: Violation[] = []
  const visit = (file: string, trail: readonly string[]): void => {
    const start = trail.indexOf(file)
    if (start >= 0) found.push({ rule: '', at: file, what: [...trail.slice(start), file].join(' -> ') })
    if (start >= 0 || done.has(file)) return
    for (const to of imports.get(file) ?? []) visit(to, [...trail, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  return found
}

function projectAt(root: string): World {
  const ignored = readFileSync(posix.join(root, '.gitignore'), 'utf8').split('\n')
  const folders: string[] = []
  const files = new Map<string, string>()
  const gather = (folder: string): void => {
    for (const entry of readdirSync(posix.join(root, folder), { withFileTypes: true })) {
      const path = posix.join(folder, entry.name)
      if (entry.isDirectory() && !ignored.includes(`${path}/`)) {
        folders.push(path)
        if (path !== '.git') gather(path)
      } else if (/\.[cm]?[jt]s$/.test(entry.name)) files.set(path, readFileSync(posix.join(root, path), 'utf8'))
    }
  }
  gather('')
  return { files, folders }
}

test('the project keeps its import law', t => {
  const project = projectAt(process.cwd())
  for (const { rule, at, what } of violations(project)) t.fail(`${rule}: ${at} ${what}`)
  for (const path of ['gateway/main.ts', 'gateway/errors.ts', 'drivers/driver.ts', 'test/layout.test.ts']) {
    t.ok(project.files.has(path), `${path} was looked at`)
  }
  t.end()
})

interface Planted {
  readonly rule: string
  readonly breaks: string
  readonly files: Readonly<Record<string, string>>
  readonly folders?: readonly string[]
}

const impure = 'pure folders read no clock, no chance and no surroundings'
const unreadable = 'every import can be read off the source'
const owner = 'a native package has one owner'

const planted: readonly Planted[] = [
  ...[
    "import { PolewatchError } from '../../gateway/errors.js'",
    "import type { ErrorCode } from '../../gateway/errors.js'",
    "export * from '../../gateway/errors.js'",
    "export type { ErrorCode } from '../../gateway/errors.js'",
    "const errors = await import('../../gateway/errors.js')",
    "let code: import('../../gateway/errors.js').ErrorCode",
    "import errors = require('../../gateway/errors.js')",
    "const errors = require('../../gateway/errors.js')",
    "import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\nload('../../gateway/errors.js')",
    "import { createRequire as make } from 'node:module'\nmake(import.meta.url)('../../gateway/errors.js')",
    "import module from 'node:module'\nconst load = module.createRequire(import.meta.url)\nload.resolve('../../gateway/errors.js')",
    "new Worker(new URL('../../gateway/errors.js', import.meta.url))",
    "import.meta.resolve('../../gateway/errors.js')",
    "import 'polewatch/hub'",
  ].map(breaks => ({
    rule: 'drivers import nothing from gateway',
    breaks,
    files: { 'drivers/gnss/planted.ts': breaks, 'gateway/errors.ts': '' },
  })),
  ...['gateway/uplink/planted.ts', 'gateway/main.ts', 'scripts/planted.ts'].map(path => ({
    rule: 'only commands and tests import drivers',
    breaks: path,
    files: {
      [path]: `import type { Driver } from '${path.split('/').slice(1).fill('..').join('/') || '.'}/drivers/driver.js'`,
    },
  })),
  ...["import '../../scripts/demo.js'", "import '../../test/helper.js'", "import('../../scripts/demo.js')"].map(
    breaks => ({
      rule: 'nothing that runs imports scripts or tests',
      breaks,
      files: { 'gateway/health/planted.ts': breaks },
    }),
  ),
  {
    rule: 'nothing that runs imports scripts or tests',
    breaks: 'a script that leans on a test',
    files: { 'scripts/planted.ts': "import '../test/helper.js'" },
  },
  ...["import 'node:fs'", "import { hrtime } from 'process'", "import 'pino'", "import '../journal/journal.js'"].map(
    breaks => ({
      rule: 'pure folders import only what is pure',
      breaks,
      files: { 'gateway/plates/planted.ts': breaks },
    }),
  ),
  {
    rule: 'pure folders import only what is pure',
    breaks: 'what pure folders lean on',
    files: { 'gateway/errors.ts': "import 'node:os'" },
  },
  ...[
    'Date.now()',
    'new Date()',
    'new Date',
    'Date()',
    'const { now } = Date',
    "Date['now']()",
    'performance.now()',
    'Math.random()',
    "Math['random']()",
    'const { random } = Math',
    'process.hrtime()',
    'const held = { process }',
    'setTimeout(() => {}, 1)',
    'setInterval(() => {}, 1)',
    'setImmediate(() => {})',
    'globalThis.Date.now()',
    'crypto.getRandomValues(new Uint8Array(1))',
    "fetch('http://localhost')",
    "console.log('heard')",
    'AbortSignal.timeout(1)',
    'new Intl.DateTimeFormat().format()',
    "new Function('return Date.now()')()",
    "eval('1')",
    'declare const process: unknown\nexport const held = process',
  ].map(breaks => ({ rule: impure, breaks, files: { 'gateway/timebase/planted.ts': breaks } })),
  ...[
    { 'gateway/uplink/planted.ts': "import Database from 'better-sqlite3'" },
    { 'gateway/commands/planted.ts': "import { connect } from 'mqtt'" },
    { 'test/acoustics/planted.ts': "import { connect } from 'mqtt'" },
    { 'scripts/planted.ts': "const database = await import('better-sqlite3')" },
    { 'drivers/microphone-array/planted.ts': "import { SerialPort } from 'serialport'" },
    { 'gateway/vision/planted.ts': "import { SerialPortStream } from '@serialport/stream'" },
    { 'gateway/vision/planted.ts': "import { Demuxer } from 'node-av/api'" },
    { 'drivers/sensor-board/planted.ts': "import { Gpio } from 'onoff'" },
    { 'drivers/digital-io/planted.ts': "import { Board } from 'johnny-five'" },
  ].map(files => ({ rule: owner, breaks: Object.values(files).join(), files })),
  ...[
    { 'gateway/commands/plate-desk.ts': "import { Relay } from './relay.js'", 'gateway/commands/relay.ts': '' },
    { 'gateway/commands/read-plates.ts': "import './switch-outputs.js'", 'gateway/commands/switch-outputs.ts': '' },
    { 'gateway/commands/vision.ts': "import './switch-devices.js'", 'gateway/commands/switch-devices.ts': '' },
    {
      'gateway/commands/switch-board.ts': "import type { PlateHit } from './plate-hit.js'",
      'gateway/commands/plate-hit.ts': '',
    },
    { 'gateway/commands/relay.ts': "import '../plates/match.js'", 'gateway/plates/match.ts': '' },
  ].map(files => ({
    rule: 'a relay knows no plate, and no plate reaches a relay',
    breaks: Object.values(files).join(),
    files,
  })),
  {
    rule: 'imports make no circle',
    breaks: 'a circle of two',
    files: { 'gateway/hub/one.ts': "import './two.js'", 'gateway/hub/two.ts': "import './one.js'" },
  },
  {
    rule: 'imports make no circle',
    breaks: 'a circle of three, of types and late imports',
    files: {
      'gateway/hub/one.ts': "import type { Two } from './two.js'",
      'gateway/hub/two.ts': "export type { Three } from './three.js'",
      'gateway/hub/three.ts': "export const one = () => import('./one.js')",
    },
  },
  ...['gateway/utils', 'drivers/camera/types', 'test/hub/common'].map(folder => ({
    rule: 'no folder is called utils, types or common',
    breaks: folder,
    files: {},
    folders: [folder],
  })),
  ...['library', 'gateway/services', 'drivers/radio', 'firmware-config/secret', 'test/odds'].map(folder => ({
    rule: 'folders are those of the design',
    breaks: folder,
    files: {},
    folders: [folder],
  })),
  ...[
    'let heard: any',
    'const heard = JSON.parse(text) as any',
    'const all: Array<any> = []',
    'let f: (x: any) => void',
  ].map(breaks => ({ rule: 'no value is of type any', breaks, files: { 'scripts/planted.ts': breaks } })),
  ...['// @ts-ignore\nf()', 'f( // @ts-ignore\n1)', '/* @ts-nocheck */', 'f()\n// @ts-ignore'].map(breaks => ({
    rule: 'no comment silences the compiler',
    breaks,
    files: { 'test/hub/planted.ts': breaks },
  })),
  ...[
    'await import(name)',
    "require('./' + name)",
    "import('/usr/lib/heard.js')",
    "import('data:text/javascript,1')",
  ].map(breaks => ({ rule: unreadable, breaks, files: { 'gateway/health/planted.ts': breaks } })),
]

test('a planted violation of each rule is caught, and nothing else is', t => {
  for (const { rule, breaks, files, folders = [] } of planted) {
    const found = violations({ files: new Map(Object.entries(files)), folders })
    const others = found.filter(
      violation => violation.rule !== rule && !(rule.includes('utils') && violation.at === breaks),
    )
    t.ok(
      found.some(violation => violation.rule === rule),
      `caught: ${rule}: ${breaks}`,
    )
    t.strictSame(others, [], `only that: ${breaks}`)
  }
  t.strictSame(
    new Set(planted.map(({ rule }) => rule)),
    new Set(Object.keys(rules)),
    'every rule has a planted violation',
  )
  t.end()
})

test('what the law allows is not caught', t => {
  const allowed: Readonly<Record<string, string>> = {
    'gateway/commands/run.ts':
      "import { driver } from '../../drivers/driver.js'\nnew URL('../main.js', import.meta.url)",
    'gateway/main.ts': "const run = () => import('./commands/run.js')",
    'drivers/driver.ts':
      "import { readFile } from 'node:fs/promises'\nexport const driver = setTimeout(readFile, Date.now())",
    'drivers/plate-reader/serial.ts': "import { SerialPort } from 'serialport'\nimport '@serialport/parser-delimiter'",
    'gateway/journal/file.ts': "import Database from 'better-sqlite3'",
    'test/journal/file.test.ts': "import Database from 'better-sqlite3'\nimport '../../gateway/journal/file.js'",
    'test/contracts/camera.test.ts': "import { connect } from 'mqtt'\nimport '../../drivers/driver.js'",
    'gateway/acoustics/onset.ts': [
      "import { z } from 'zod'",
      "import { sample } from '../timebase/sample.js'",
      'export class Onset { process(block: Date) { return this.process(block) } }',
      'export const at = new Date(0), parsed = Date.parse(text), loud = Math.max(1, 2), process = 1',
      'export function until(setTimeout: number, { performance: held }: Heard) { return { performance: setTimeout + held } }',
      'const text = "Date.now() and // @ts-ignore and import(name)", company = process',
    ].join('\n'),
    'gateway/timebase/sample.ts': 'export const sample = 1 // any number',
  }
  t.strictSame(
    violations({ files: new Map(Object.entries(allowed)), folders: ['gateway', 'gateway/hub', 'test/hub'] }),
    [],
  )
  t.end()
})
