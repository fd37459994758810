import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeWhole } from '../config/replace-file.js'
import type { Configuration } from '../config/schema.js'
import { messageOf, PolewatchError } from '../errors.js'
import { belongsTo, newUnitKey, selfSignedCertificate, validity } from '../uplink/unit-certificate.js'

/*
 * On the technician's own port the page is encrypted with a key that the console makes itself, readable by no other role: the unit's
 * certificate is for the broker, its key is uplink's, and no browser would know a pole by it either. The technician compares the fingerprint.
 */

/** Days that a certificate is good for; browsers refuse longer ones. */
const days = 800
/** A new one is made when so little of it is left, seconds. */
const least = 30 * 86_400

export interface ConsoleCertificate {
  /** PEM. */
  readonly key: string
  readonly cert: string
}

/** The console's key and certificate, made where there are none that are good for a while. @throws PW_ENROLMENT_TOOL, PW_KEY_FILE */
export function consoleCertificate({ paths, site, gateway }: Configuration, now: number): ConsoleCertificate {
  const [keyFile, certificateFile] = filesOf(paths)
  const known = readPair(keyFile, certificateFile)
  if (known !== null && validity(known.cert).until - now > least) return known
  try {
    const key = newUnitKey()
    writeWhole(keyFile, key, 0o600)
    const cert = selfSignedCertificate(keyFile, { site, gateway: gateway.id }, days)
    writeWhole(certificateFile, cert, 0o644)
    return { key, cert }
  } catch (error) {
    if (error instanceof PolewatchError) throw error
    throw new PolewatchError('PW_KEY_FILE', { file: keyFile, why: messageOf(error) }, error)
  }
}

/** SHA-256 of the console's certificate as browsers show it. @throws PW_KEY_FILE where there is none yet */
export function consoleFingerprint({ paths }: Configuration): string {
  const [, file] = filesOf(paths)
  try {
    return new X509Certificate(readFileSync(file)).fingerprint256
  } catch (error) {
    throw new PolewatchError('PW_KEY_FILE', { file, why: messageOf(error) }, error)
  }
}

function filesOf(paths: Configuration['paths']): [string, string] {
  return [join(paths.state, 'keys', 'console-tls.key'), join(paths.state, 'keys', 'console-tls.pem')]
}

function readPair(keyFile: string, certificateFile: string): ConsoleCertificate | null {
  try {
    const pair = { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certificateFile, 'utf8') }
    return belongsTo(pair.cert, pair.key) ? pair : null
  } catch {
    return null
  }
}
