import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PolewatchError } from '../errors.js'

/** A path that begins so names a credential of systemd instead of a file: `credential:NAME`. */
export const credentialPrefix = 'credential:'

const credentialName = /^[A-Za-z0-9_.@-]{1,255}$/

/**
 * The text of a key or password file, or of a credential that systemd hands to the unit (`LoadCredential=NAME:…`, found by
 * `$CREDENTIALS_DIRECTORY`). @throws PW_KEY_FILE
 */
export function readSecret(file: string): string {
  try {
    return readFileSync(locate(file), 'utf8')
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new PolewatchError('PW_KEY_FILE', { file, why }, error)
  }
}

function locate(file: string): string {
  if (!file.startsWith(credentialPrefix)) return file
  const name = file.slice(credentialPrefix.length)
  const folder = process.env.CREDENTIALS_DIRECTORY
  if (!credentialName.test(name) || name === '..' || name === '.') throw new Error('this is no name of a credential')
  if (folder === undefined || folder === '') throw new Error('systemd has given this process no credentials')
  return join(folder, name)
}
