import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join, relative, resolve, sep } from 'node:path'
import { checkText } from '../../gateway/config/check.js'
import { passwordFiles } from '../../gateway/config/passwords.js'
import { problemLine } from '../../gateway/config/problem.js'
import type { Configuration } from '../../gateway/config/schema.js'
import { publicKeyFromPem } from '../../gateway/messages/keys.js'
import { policySchema } from '../../gateway/policy/policy.js'
import { pemCertificates } from '../../gateway/uplink/unit-certificate.js'

/** A file that a unit's configuration names and the city gives it. */
export interface CityFile {
  /** Path below the unit's /etc/polewatch, without `..` in it. */
  readonly name: string
  readonly text: string
  /** Nobody but the role that uses it may read it: a password. */
  readonly secret: boolean
}

const folderOfUnit = '/etc/polewatch'
/** By which scripts that lay files over a unit know what nobody else may read. */
const passwordEnding = '.password'
/** What the units bring themselves: their configuration, and what provisioning writes. */
const ownNames: readonly string[] = ['polewatch.yaml', 'trust.pem', 'claim']

/**
 * The public keys, the policy, the broker's authority and the passwords that a configuration names below /etc/polewatch, from the city's folder, where
 * they have the same names and lie in the same folders. A password that is one unit's alone lies in a folder there with the unit's name. What a configuration names
 * elsewhere the city puts there by other means. The authority may be absent: enrolment then brings it.
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
  const own = new Set([...ownNames, ...writtenByEnrolment(uplink.tls)])
  const take = (path: string | null, check: (text: string) => void, { secret = false, absent = false } = {}): void => {
    const name = path === null ? null : nameBelow(path)
    if (path === null || name === null) return
    if (own.has(name)) throw new Error(`${path} has the name of a file that each unit has of its own`)
    if (name.endsWith(passwordEnding) !== secret)
      throw new Error(`${path}: the names of passwords end in ${passwordEnding}, and no others`)
    const ofUnit = join(folder, gateway.id, name)
    const file = secret && existsSync(ofUnit) ? ofUnit : join(folder, name)
    if (absent && !existsSync(file)) return
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
  for (const { file } of passwordFiles(configuration)) take(file, checkPassword, { secret: true })
  take(uplink.tls.ca, checkCertificates, { absent: true })
  return [...found.values()]
}

/** Its path below the folder of a unit; null for one that lies elsewhere, as `..` may lead, and for a credential of systemd. */
function nameBelow(path: string): string | null {
  if (!path.startsWith(sep)) return null
  const name = relative(folderOfUnit, resolve(path))
  return name === '' || name === '..' || name.startsWith(`..${sep}`) ? null : name
}

function writtenByEnrolment({ ca, certificate, key }: Configuration['uplink']['tls']): string[] {
  const written = [certificate, key, key === null ? null : `${key}.pending`, ca === null ? null : `${ca}.enrolled`]
  return written.flatMap(path => (path === null ? [] : (nameBelow(path) ?? [])))
}

function checkCertificates(text: string): void {
  if (/PRIVATE KEY/.test(text)) throw new Error('there is a private key in it')
  const certificates = pemCertificates(text)
  if (certificates.length === 0) throw new Error('there is no certificate in it')
  for (const certificate of certificates) new X509Certificate(certificate)
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
