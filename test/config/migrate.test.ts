import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { isMap, parse } from 'yaml'
import { migrateFile } from '../../gateway/commands/config-migrate.js'
import { parseConfiguration } from '../../gateway/config/load.js'
import { currentVersion, type Migration, migrateText } from '../../gateway/config/migrate.js'
import { polewatch } from '../commands/polewatch.js'

const golden = 'test/golden/configuration'
const first = readFileSync(join(golden, 'v1.yaml'), 'utf8')

/** Planted, as long as there is no later version: one renames a key, one moves it. */
const planted: readonly Migration[] = [
  document => {
    const uplink = document.get('uplink')
    const pair = isMap(uplink) ? uplink.items.find(({ key }) => String(key) === 'window') : undefined
    if (pair !== undefined) pair.key = document.createNode('inFlight')
  },
  document => {
    document.setIn(['delivery', 'inFlight'], document.getIn(['uplink', 'inFlight']))
    document.deleteIn(['uplink', 'inFlight'])
  },
]

test('a configuration of every version that was ever released is read', t => {
  const versions = Array.from({ length: currentVersion }, (_, index) => `v${index + 1}.yaml`)
  t.strictSame(readdirSync(golden).sort(), versions)
  for (const name of versions) {
    const text = readFileSync(join(golden, name), 'utf8')
    const configuration = parseConfiguration(text, '/etc/polewatch/polewatch.yaml')
    t.equal(configuration.version, currentVersion, name)
    // What it says stands, whatever it is called by now.
    t.equal(configuration.gateway.id, 'pole-17')
    t.equal(configuration.uplink.willDelaySeconds, parse(text).uplink.willDelaySeconds)
  }
  t.end()
})

test('a file is brought forward step by step with its comments, and kept beside as it was', t => {
  const file = join(t.testdir(), 'polewatch.yaml')
  const old = first.replace(/^( *)window: .*$/m, '$1window: 7 # as the city agreed')
  writeFileSync(file, old)
  chmodSync(file, 0o640)
  t.strictSame(migrateFile(file, planted), { from: 1, kept: `${file}.version-1` })
  const now = readFileSync(file, 'utf8')
  t.match(parse(now), { version: 3, delivery: { inFlight: 7 } })
  t.notMatch(now, /window/)
  const comments = (text: string): number => text.split('\n').filter(line => line.trim().startsWith('#')).length
  t.equal(comments(now), comments(old), 'no comment is lost')
  t.equal(statSync(file).mode & 0o777, 0o640)
  t.equal(readFileSync(`${file}.version-1`, 'utf8'), old)
  t.strictSame(migrateFile(file, planted), { from: 3, kept: null }, 'and nothing is done twice')
  t.equal(readFileSync(file, 'utf8'), now)
  t.end()
})

test('a file of the version before skips the steps that it had already', t => {
  const second = migrateText(first, 'polewatch.yaml', planted.slice(0, 1)).text
  t.equal(parse(second).version, 2)
  t.strictSame(
    parse(migrateText(second, 'polewatch.yaml', planted).text),
    parse(migrateText(first, 'polewatch.yaml', planted).text),
  )
  t.end()
})

test('a file of this version stays as it is to the byte, and one of a newer program is refused by name', t => {
  const file = join(t.testdir(), 'polewatch.yaml')
  copyFileSync(join(golden, `v${currentVersion}.yaml`), file)
  const before = readFileSync(file, 'utf8')
  t.match(polewatch('config', 'migrate', file).output, `is of version ${currentVersion} already`)
  t.equal(readFileSync(file, 'utf8'), before)
  writeFileSync(file, before.replace(/^version: .*$/m, `version: ${currentVersion + 1}`))
  for (const command of ['migrate', 'check']) {
    const { errors } = polewatch('config', command, file)
    t.match(errors, 'PW_CONFIG_NEWER')
    t.match(errors, `is of version ${currentVersion + 1}; this program knows versions up to ${currentVersion}`)
  }
  t.notOk(existsSync(`${file}.version-${currentVersion + 1}`))
  t.end()
})
