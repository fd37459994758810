import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type * as z from 'zod'
import { PolewatchError } from '../errors.js'
import { publicJwk } from './condition.js'

/** An Ed25519 public key as JSON Web Key, RFC 8037. */
export type PublicJwk = z.infer<typeof publicJwk>

/** An Ed25519 key pair and its name. */
export interface SigningKey {
  /** RFC 7638 thumbprint of the public key, base64url. */
  readonly kid: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

/** A new key pair. It lives in memory only: whoever makes it keeps it. */
export function createSigningKey(): SigningKey {
  return signingKey(generateKeyPairSync('ed25519').privateKey)
}

/** Reads a private key, PKCS#8 PEM. @throws PW_KEY_INVALID */
export function signingKeyFromPem(pem: string | Buffer): SigningKey {
  return signingKey(readKey(() => createPrivateKey(pem)))
}

/** Reads a public key, SPKI PEM. @throws PW_KEY_INVALID */
export function publicKeyFromPem(pem: string | Buffer): KeyObject {
  return readKey(() => createPublicKey(pem))
}

/** Reads a public key as a capabilities message holds it. @throws PW_KEY_INVALID */
export function publicKeyFromJwk(jwk: PublicJwk): KeyObject {
  return readKey(() => createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: 'jwk' }))
}

/** The private key as PKCS#8 PEM. It is a secret: a file of mode 0600 and nowhere else. */
export function privateKeyPem(key: SigningKey): string {
  return key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** The public key as SPKI PEM. */
export function publicKeyPem(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}

/** The public key as JSON Web Key. @throws PW_KEY_INVALID for a key that is not Ed25519 */
export function publicJwkOf(key: KeyObject): PublicJwk {
  const jwk = publicJwk.safeParse(key.export({ format: 'jwk' }))
  if (!jwk.success) throw new PolewatchError('PW_KEY_INVALID', { why: 'it is not an Ed25519 key' })
  return jwk.data
}

/** The key's name: its JWK thumbprint, RFC 7638, with SHA-256. @throws PW_KEY_INVALID for a key that is not Ed25519 */
export function keyId(publicKey: KeyObject): string {
  const { crv, kty, x } = publicJwkOf(publicKey)
  // RFC 7638 asks for exactly these members in this order, without space.
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url')
}

function signingKey(privateKey: KeyObject): SigningKey {
  const publicKey = createPublicKey(privateKey)
  return { kid: keyId(publicKey), privateKey, publicKey }
}

function readKey(read: () => KeyObject): KeyObject {
  let key: KeyObject
  try {
    key = read()
  } catch {
    // The cause is left out: it may quote the key.
    throw new PolewatchError('PW_KEY_INVALID', { why: 'it cannot be read as a key' })
  }
  if (key.asymmetricKeyType !== 'ed25519')
    throw new PolewatchError('PW_KEY_INVALID', { why: 'it is not an Ed25519 key' })
  return key
}
