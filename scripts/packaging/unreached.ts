/**
 * Prints the folders of packages below a node_modules that nothing reaches from a package.json's dependencies, when packages that are
 * only needed to install or build others, or for what this program does not do, do not count.
 *
 *   node dist/scripts/packaging/unreached.js PROGRAM-FOLDER
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const names = z.record(z.string(), z.string()).default({})
const manifestSchema = z.object({ dependencies: names, optionalDependencies: names, peerDependencies: names })

/** What of a package is left out, by the package that asks for it. */
const uncounted: Readonly<Record<string, readonly string[]>> = {
  // Compilers, downloads of prebuilt binaries, and WebRTC.
  'better-sqlite3': ['prebuild-install'],
  'unix-dgram': ['nan'],
  epoll: ['nan'],
  'node-av': ['unzipper', 'werift'],
  '@serialport/bindings-cpp': ['node-addon-api'],
  // The board is given its line: johnny-five's own ways to one, and its animations, are not.
  'johnny-five': ['browser-serialport', 'firmata', 'temporal'],
}

const program = process.argv[2] ?? '.'
const root = join(program, 'node_modules')
const reached = new Set<string>()

function reach(folder: string, name: string): void {
  const { dependencies, optionalDependencies, peerDependencies } = manifestSchema.parse(
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
  )
  const skipped = uncounted[name] ?? []
  for (const needed of Object.keys({ ...peerDependencies, ...optionalDependencies, ...dependencies })) {
    const found = skipped.includes(needed) ? null : resolve(folder, needed)
    if (found === null || reached.has(found)) continue
    reached.add(found)
    reach(found, needed)
  }
}

/** As Node.js looks for it: in each folder upwards. */
function resolve(folder: string, name: string): string | null {
  for (let at = folder; ; at = dirname(at)) {
    const candidate = join(at, 'node_modules', name)
    if (existsSync(join(candidate, 'package.json'))) return candidate
    if (at === program || at === dirname(at)) return null
  }
}

function packagesIn(modules: string): string[] {
  if (!existsSync(modules)) return []
  const direct = readdirSync(modules)
    .filter(name => !name.startsWith('.'))
    .flatMap(name => (name.startsWith('@') ? readdirSync(join(modules, name)).map(inner => join(name, inner)) : [name]))
    .map(name => join(modules, name))
  return direct.flatMap(folder => [folder, ...packagesIn(join(folder, 'node_modules'))])
}

reach(program, '')
for (const folder of packagesIn(root)) if (!reached.has(folder)) process.stdout.write(`${folder}\n`)
