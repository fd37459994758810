import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { passwordFiles } from '../config/passwords.js'
import type { Configuration } from '../config/schema.js'
import { credentialPrefix } from '../config/secret-file.js'
import { messageOf, PolewatchError } from '../errors.js'

/** Where systemd looks for credentials by their names; those of polewatch begin with its own. */
const credentialStores = ['/etc/credstore', '/etc/credstore.encrypted', '/run/credstore']

/**
 * Stops all units, timers and sockets too, where systemd runs them, and deletes what the unit has made or been given, but for its configuration. Gives the paths deleted.
 * @throws PW_FOLDER where something cannot be deleted
 */
export function resetUnit(configuration: Configuration, stores = credentialStores): string[] {
  const { paths, uplink, enrolment } = configuration
  if (existsSync('/run/systemd/system')) spawnSync('systemctl', ['stop', 'polewatch.target', 'polewatch-*'])
  const { key, certificate } = uplink.tls
  const passwords = passwordFiles(configuration).map(({ file }) => file)
  const named = [key, key === null ? null : `${key}.pending`, certificate, enrolment.claimFile, ...passwords]
  const files = named.filter(file => file !== null && !file.startsWith(credentialPrefix))
  const inside = [paths.state, paths.runtime].flatMap(folder => (existsSync(folder) ? contents(folder) : []))
  const credentials = stores.filter(existsSync).flatMap(store =>
    readdirSync(store)
      .filter(name => name.startsWith('polewatch-'))
      .map(name => join(store, name)),
  )
  const present = [...files, ...inside, ...credentials].filter(file => file !== null).filter(existsSync)
  for (const path of present) {
    try {
      rmSync(path, { recursive: true, force: true })
    } catch (error) {
      throw new PolewatchError('PW_FOLDER', { folder: path, why: messageOf(error) }, error)
    }
  }
  return present
}

const keptFolders: ReadonlySet<string> = new Set(['keys', 'hotlist', 'inbox', 'import', 'applied', 'reports'])

/** Folders that tmpfiles makes are emptied and stay, with the rights they have. */
function contents(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const path = join(folder, entry.name)
    return entry.isDirectory() && keptFolders.has(entry.name) ? contents(path) : [path]
  })
}
