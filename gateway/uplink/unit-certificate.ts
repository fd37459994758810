import { spawnSync } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PolewatchError } from '../errors.js'

/** Whom a certificate names: the gateway as CN, which a broker takes for its user name, and the site as O. */
export interface UnitName {
  readonly site: string
  readonly gateway: string
}

const certificatePattern = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** A new private key (ECDSA P-256), PKCS#8 in PEM. */
export function newUnitKey(): string {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  return privateKey
}

/** A PKCS #10 request in DER for the key in a PEM file. Site and gateway are names as the configuration allows them. @throws PW_ENROLMENT_TOOL */
export function certificateRequest(keyFile: string, { site, gateway }: UnitName): Buffer {
  const subject = ['-subj', `/O=${site}/CN=${gateway}`, '-addext', 'extendedKeyUsage=clientAuth']
  return openssl(['req', '-new', '-batch', '-key', keyFile, ...subject, '-outform', 'DER'], '')
}

/** A certificate that the key in a PEM file signs itself, for a server that is known by its fingerprint; PEM. @throws PW_ENROLMENT_TOOL */
export function selfSignedCertificate(keyFile: string, { site, gateway }: UnitName, days: number): string {
  const subject = ['-subj', `/O=${site}/CN=${gateway}`, '-addext', 'extendedKeyUsage=serverAuth']
  return openssl(['req', '-x509', '-batch', '-key', keyFile, '-days', String(days), ...subject], '').toString('utf8')
}

/** The certificates of a PKCS #7 message without content, as EST sends them, in PEM. @throws PW_ENROLMENT_TOOL */
export function certificatesOf(message: Buffer): string[] {
  return pemCertificates(openssl(['pkcs7', '-inform', 'DER', '-print_certs'], message).toString('utf8'))
}

/** Every certificate of a PEM text. */
export function pemCertificates(text: string): string[] {
  return [...text.matchAll(certificatePattern)].map(([pem]) => `${pem}\n`)
}

/** Whether a certificate was made for the key. */
export function belongsTo(certificate: string, key: string): boolean {
  return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))
}

/**
 * The unit's own certificate followed by the intermediate ones that lead to a root of `trust`.
 * @throws PW_ENROLMENT_ANSWER where none is for the key and the unit, or none leads to a trusted root
 */
export function unitChain(certificates: readonly string[], key: string, name: UnitName, trust: string): string {
  const own = certificates.find(certificate => belongsTo(certificate, key))
  if (own === undefined) throw wrong('no certificate in it is for the key of this unit')
  const subject = new X509Certificate(own).subject.split('\n')
  if (!subject.includes(`CN=${name.gateway}`) || !subject.includes(`O=${name.site}`))
    throw wrong(`the certificate names ${subject.join(', ')} in place of this unit`)
  const others = certificates.filter(certificate => certificate !== own)
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-enrolment-'))
  try {
    const file = (which: string, text: string): string => {
      writeFileSync(join(folder, which), text)
      return join(folder, which)
    }
    const untrusted = others.length > 0 ? ['-untrusted', file('others.pem', others.join(''))] : []
    const roots = ['-no-CApath', '-no-CAstore', '-CAfile', file('trust.pem', trust)]
    openssl(['verify', '-purpose', 'sslclient', ...roots, ...untrusted, file('own.pem', own)], '')
  } catch (error) {
    throw wrong(`the certificate does not lead to a trusted root (${error instanceof Error ? error.message : error})`)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
  const between = others.filter(certificate => !selfSigned(new X509Certificate(certificate)))
  return [own, ...between].join('')
}

/** A certificate is renewed when two thirds of its life are over. @param now seconds since 1970 UTC */
export function renewalDue(certificate: string, now: number): boolean {
  const { from, until } = validity(certificate)
  return now >= from + ((until - from) * 2) / 3
}

/** When a certificate begins and ends, seconds since 1970 UTC. */
export function validity(certificate: string): { from: number; until: number } {
  const { validFrom, validTo } = new X509Certificate(certificate)
  return { from: Date.parse(validFrom) / 1000, until: Date.parse(validTo) / 1000 }
}

function selfSigned(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer
}

function wrong(why: string): PolewatchError {
  return new PolewatchError('PW_ENROLMENT_ANSWER', { why })
}

function openssl(words: readonly string[], input: string | Buffer): Buffer {
  const { status, stdout, stderr, error } = spawnSync('openssl', words, { input })
  if (status === 0) return stdout
  const why = error?.message ?? stderr.toString('utf8').trim().split('\n').at(-1) ?? 'it failed'
  throw new PolewatchError('PW_ENROLMENT_TOOL', { step: words[0] ?? '', why })
}
