import { existsSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { checkText } from '../../gateway/config/check.js'
import { passwordFiles } from '../../gateway/config/passwords.js'
import { problemLine } from '../../gateway/config/problem.js'
import type { Configuration } from '../../gateway/config/schema.js'
import { publicKeyFromPem } from '../../gateway/messages/keys.js'
import { policySchema } from '../../gateway/policy/policy.js'

/** A file that a unit's configuration names and the city gives it. */
export interface CityFile {
  /** Below the unit's /etc/polewatch. */
  readonly name: string
  readonly text: string
  /** Nobody but the role that uses it may read it: a password. */
  readonly secret: boolean
}

const folderOfUnit = '/etc/polewatch'
/** By which scripts that lay files over a unit know what nobody else may read. */
const passwordEnding = '.password'
/** What the units bring themselves: their configuration, and what provisioning and enrolment write. */
const ownNames: ReadonlySet<string> = new Set(['polewatch.yaml', 'trust.pem', 'claim', 'tls'])

/**
 * The public keys, the policy and the passwords that a configuration names below /etc/polewatch, from the city's folder, where they have the same
 * names. A password that is one unit's alone lies in a folder there with the unit's name.
 * @throws Error for one that is absent, that is no public key, policy or password, and for a private key, which must not go onto a unit
 */
export function cityFiles(configuration: Configuration, folder: string): CityFile[] {
  const { gateway, uplink, commands, hotlist, policyFile } = configuration
  const keys = [
    uplink.hubKey,
    ...commands.keys.map(({ file }) => file),
    ...hotlist.lists.flatMap(({ deltaKeys }) => deltaKeys),
  ]
  const found = new Map<string, CityFile>()
  const take = (path: string | null, check: (text: string) => void, secret = false): void => {
    if (path === null || dirname(path) !== folderOfUnit) return
    const name = basename(path)
    if (ownNames.has(name)) throw new Error(`${path} has the name of a file that each unit has of its own`)
    if (name.endsWith(passwordEnding) !== secret)
      throw new Error(`${path}: the names of passwords end in ${passwordEnding}, and no others`)
    const own = join(folder, gateway.id, name)
    const file = secret && existsSync(own) ? own : join(folder, name)
    if (!existsSync(file)) throw new Error(`the configuration names ${path}, and there is no ${file}`)
    const text = readFileSync(file, 'utf8')
    try {
      check(text)
    } catch (error) {
      throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`)
    }
    found.set(name, { name, text, secret })
  }
  for (const key of keys) take(key, checkPublicKey)
  take(policyFile, checkPolicy)
  for (const { file } of passwordFiles(configuration)) take(file, checkPassword, true)
  return [...found.values()]
}

function checkPublicKey(text: string): void {
  // Node.js would take the public half of it.
  if (/PRIVATE KEY/.test(text)) throw new Error('it is a private key: give the unit its public half')
  publicKeyFromPem(text)
}

function checkPolicy(text: string): void {
  const [problem] = checkText(policySchema, text, '/').problems
  if (problem !== undefined) throw new Error(problemLine(problem))
}

function checkPassword(text: string): void {
  if (/^\r?(\n|$)/.test(text)) throw new Error('its first line is the password, and that is empty')
}
