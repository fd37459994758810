/**
 * Prints what a package holds of others as a CycloneDX 1.5 inventory: name, version, licence and package address (purl) of every
 * npm package found in the given folders. The same folders give the same bytes.
 *
 *   node dist/scripts/packaging/inventory.js VERSION NODE_MODULES …
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  license: z.union([z.string(), z.object({ type: z.string() })]).optional(),
})

interface Component {
  readonly type: 'library'
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly licenses: readonly ({ readonly expression: string } | { readonly license: { readonly name: string } })[]
}

function componentsOf(modules: string): Component[] {
  const folders = readdirSync(modules).flatMap(name =>
    name.startsWith('@')
      ? readdirSync(join(modules, name)).map(inner => join(modules, name, inner))
      : [join(modules, name)],
  )
  return folders.flatMap(folder => [componentOf(folder), ...nestedIn(folder)])
}

function nestedIn(folder: string): Component[] {
  return readdirSync(folder).includes('node_modules') ? componentsOf(join(folder, 'node_modules')) : []
}

function componentOf(folder: string): Component {
  const { name, version, license } = manifestSchema.parse(
    JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')),
  )
  const expression = typeof license === 'string' ? license : license?.type
  return {
    type: 'library',
    name,
    version,
    purl: `pkg:npm/${name.replace('@', '%40')}@${version}`,
    licenses: [expression === undefined ? { license: { name: 'not stated' } } : { expression }],
  }
}

const [version = '', ...folders] = process.argv.slice(2)
const components = new Map(folders.flatMap(componentsOf).map(component => [component.purl, component]))
process.stdout.write(
  `${JSON.stringify(
    {
      bomFormat: 'CycloneDX',
      specVersion: '1.5',
      version: 1,
      metadata: {
        component: { type: 'application', name: 'polewatch', version, licenses: [{ expression: 'Apache-2.0' }] },
      },
      components: [...components.values()].sort((a, b) => (a.purl < b.purl ? -1 : 1)),
    },
    null,
    2,
  )}\n`,
)
