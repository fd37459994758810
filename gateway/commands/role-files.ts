import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { writeWhole } from '../config/replace-file.js'
import type { Configuration } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'
import { createSigningKey, privateKeyPem, publicKeyPem, type SigningKey, signingKeyFromPem } from '../messages/keys.js'
import type { GatewayRole } from '../messages/stream.js'

/** The files of a site's gateway, by who writes them. */
export function rolePaths(paths: Configuration['paths'], role: GatewayRole) {
  return {
    journal: join(paths.state, `${role}.journal.db`),
    exchange: join(paths.runtime, `${role}.exchange.db`),
    bell: join(paths.runtime, `${role}.bell`),
    delivery: join(paths.state, 'uplink.delivery.db'),
    privateKey: join(paths.state, 'keys', `${role}.key`),
    publicKey: join(paths.state, 'keys', `${role}.pub`),
  }
}

/** @throws PolewatchError PW_FOLDER */
export function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o750 })
  } catch (error) {
    throw new PolewatchError('PW_FOLDER', { folder, why: messageOf(error) }, error)
  }
}

/**
 * The role's key, made at the first start; the private half is readable by its role alone and complete or absent.
 *
 * @throws PolewatchError PW_KEY_FILE, PW_FOLDER
 */
export function signingKey(privateFile: string, publicFile: string): SigningKey {
  try {
    if (existsSync(privateFile)) {
      const key = signingKeyFromPem(readFileSync(privateFile))
      if (!existsSync(publicFile)) writeWhole(publicFile, publicKeyPem(key.publicKey), 0o644)
      return key
    }
    makeFolder(dirname(privateFile))
    const key = createSigningKey()
    writeFileSync(`${privateFile}.new`, privateKeyPem(key), { mode: 0o600, flush: true })
    chmodSync(`${privateFile}.new`, 0o600)
    renameSync(`${privateFile}.new`, privateFile)
    writeWhole(publicFile, publicKeyPem(key.publicKey), 0o644)
    return key
  } catch (error) {
    if (error instanceof PolewatchError) throw error
    throw new PolewatchError('PW_KEY_FILE', { file: privateFile, why: messageOf(error) }, error)
  }
}
