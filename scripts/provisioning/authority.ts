import { spawnSync } from 'node:child_process'
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

/*
 * An authority for a small city: a folder with a root, whose book (index.txt), serial numbers, certificates and revocations are those of
 * `openssl ca`, so that the same can be done by hand. Beside it `claims.json` has the claim codes, hashed, that units may use once.
 */

const claimSchema = z.strictObject({
  site: z.string(),
  /** SHA-256 of the code. */
  code: z.string(),
  /** Seconds since 1970 UTC. */
  expires: z.number(),
  /** SHA-256 of the key that used it; null while nobody has. */
  usedBy: z.string().nullable(),
})
const claimsSchema = z.record(z.string(), claimSchema)
type Claims = z.infer<typeof claimsSchema>

export interface UnitName {
  readonly site: string
  readonly gateway: string
}

/** Why a unit gets no certificate. */
export class Refusal extends Error {}

export class CertificateAuthority {
  readonly folder: string

  /** Of a folder that `create` has made. @throws Error where it has not */
  constructor(folder: string) {
    this.folder = folder
    if (!existsSync(join(folder, 'root.pem')))
      throw new Error(`${folder} is no authority: make one with authority create`)
  }

  /**
   * Makes a folder with a root, good for ten years, and a certificate for the address under which it serves.
   * @param hosts names and addresses, the first of which names the server's certificate
   */
  static create(folder: string, hosts: readonly string[]): CertificateAuthority {
    if (existsSync(join(folder, 'root.pem'))) throw new Error(`${folder} has an authority already`)
    mkdirSync(join(folder, 'certificates'), { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'openssl.cnf'), settings)
    for (const [file, text] of [
      ['index.txt', ''],
      ['claims.json', '{}\n'],
      ['index.txt.attr', 'unique_subject = no\n'],
    ] as const)
      writeFileSync(join(folder, file), text, { mode: 0o600 })
    openssl(folder, [
      'req',
      '-x509',
      ...newKey,
      '-keyout',
      'root.key',
      '-out',
      'root.pem',
      '-days',
      '3650',
      '-config',
      'openssl.cnf',
      '-extensions',
      'root',
      '-subj',
      '/CN=polewatch root',
    ])
    const authority = new CertificateAuthority(folder)
    authority.issueServer('server', hosts)
    authority.publishRevocations()
    return authority
  }

  get root(): string {
    return readFileSync(join(this.folder, 'root.pem'), 'utf8')
  }

  /** Makes NAME.key and NAME.pem for a server of the city, such as its broker; good for a year. */
  issueServer(name: string, hosts: readonly string[]): { key: string; certificate: string } {
    const alternatives = hosts.map(host => `${/^[\d.]+$|:/.test(host) ? 'IP' : 'DNS'}:${host}`).join(',')
    const request = ['req', '-new', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`]
    openssl(this.folder, [...request, '-subj', `/CN=${hosts[0] ?? name}`])
    const files = ['-in', `${name}.csr`, '-out', `${name}.pem`]
    this.#withFile(`${serverExtensions}subjectAltName = ${alternatives}\n`, file =>
      openssl(this.folder, [...signing, '-extfile', file, '-days', '365', ...files]),
    )
    rmSync(join(this.folder, `${name}.csr`))
    return { key: join(this.folder, `${name}.key`), certificate: join(this.folder, `${name}.pem`) }
  }

  /** A claim code for a unit's first certificate; one given before is void. @param now seconds since 1970 UTC */
  claim({ site, gateway }: UnitName, now: number, days = 30): string {
    const code = randomBytes(20).toString('base64url')
    this.#changeClaims(claims => {
      claims[gateway] = { site, code: sha256(code), expires: now + days * 86_400, usedBy: null }
    })
    return code
  }

  /**
   * The first certificate, for a claim. The code is good for one key, so that a unit whose answer was lost may ask again.
   * @param request PKCS #10 in DER @throws Refusal
   */
  issueForClaim(gateway: string, code: string, request: Buffer, now: number): string {
    const asked = this.#read(request)
    const key = sha256(asked.publicKey)
    let site = ''
    this.#changeClaims(claims => {
      const claim = Object.hasOwn(claims, gateway) ? claims[gateway] : undefined
      if (claim === undefined || !timingSafeEqual(Buffer.from(claim.code), Buffer.from(sha256(code))))
        throw new Refusal('there is no such claim')
      if (claim.expires < now) throw new Refusal('the claim has expired')
      if (claim.usedBy !== null && claim.usedBy !== key) throw new Refusal('the claim was used by another key')
      if (asked.gateway !== gateway || asked.site !== claim.site) throw new Refusal('the request names another unit')
      claim.usedBy = key
      site = claim.site
    })
    return this.#sign(request, { site, gateway })
  }

  /** A new certificate for whoever holds one that is still good. @param serial of that one, in hexadecimal @throws Refusal */
  renew(serial: string, request: Buffer): string {
    const held = this.#entries().find(entry => entry.serial === serial.toUpperCase())
    if (held === undefined || held.state !== 'V') throw new Refusal('the certificate is not known or was revoked')
    const asked = this.#read(request)
    if (held.gateway !== asked.gateway || held.site !== asked.site) throw new Refusal('the request names another unit')
    return this.#sign(request, asked)
  }

  /** Signs a request that came by hand. @param request PKCS #10 in PEM or DER @throws Refusal */
  sign(request: Buffer): string {
    const der = request.toString('latin1').startsWith('-----')
      ? openssl(this.folder, ['req', '-outform', 'DER'], request)
      : request
    return this.#sign(der, this.#read(der))
  }

  /** Revokes every certificate of a unit and its claim, and publishes crl.pem. @returns how many certificates */
  revoke(gateway: string): number {
    const held = this.#entries().filter(entry => entry.gateway === gateway && entry.state === 'V')
    for (const { serial } of held)
      openssl(this.folder, ['ca', '-config', 'openssl.cnf', '-revoke', join('certificates', `${serial}.pem`)])
    this.#changeClaims(claims => {
      delete claims[gateway]
    })
    this.publishRevocations()
    return held.length
  }

  /** Writes crl.pem, which a broker has to be given anew: it is good for thirty days. */
  publishRevocations(): void {
    openssl(this.folder, ['ca', '-config', 'openssl.cnf', '-gencrl', '-crldays', '30', '-out', 'crl.pem.new'])
    renameSync(join(this.folder, 'crl.pem.new'), join(this.folder, 'crl.pem'))
  }

  /** A certificate as PKCS #7 in DER, as EST sends it. */
  packed(certificate: string): Buffer {
    return this.#withFile(certificate, file =>
      openssl(this.folder, ['crl2pkcs7', '-nocrl', '-certfile', file, '-outform', 'DER']),
    )
  }

  #sign(request: Buffer, { site, gateway }: UnitName): string {
    const words = [
      ...signing,
      '-inform',
      'DER',
      '-extensions',
      'unit',
      '-days',
      '90',
      '-subj',
      `/O=${site}/CN=${gateway}`,
    ]
    return this.#withFile(request, file => openssl(this.folder, [...words, '-in', file])).toString('utf8')
  }

  /** What a request asks for. @throws Refusal unless it is signed with its own key and names a site and a gateway alone */
  #read(request: Buffer): UnitName & { publicKey: string } {
    let output: string
    try {
      const words = ['req', '-inform', 'DER', '-noout', '-verify', '-subject', '-pubkey', '-nameopt', 'RFC2253']
      output = openssl(this.folder, words, request).toString('utf8')
    } catch {
      throw new Refusal('this is no certificate request')
    }
    const [, gateway, site] = /^subject=CN=([a-z0-9][a-z0-9-]{0,62}),O=([a-z0-9][a-z0-9-]{0,62})$/m.exec(output) ?? []
    const publicKey = /-----BEGIN PUBLIC KEY-----[\s\S]+-----END PUBLIC KEY-----/.exec(output)?.[0]
    if (gateway === undefined || site === undefined || publicKey === undefined)
      throw new Refusal('the request must name the gateway as CN and the site as O, and nothing else')
    return { gateway, site, publicKey }
  }

  /** Not every option of openssl reads standard input. */
  #withFile<Result>(content: string | Buffer, use: (file: string) => Result): Result {
    const file = `draft-${randomBytes(8).toString('hex')}`
    writeFileSync(join(this.folder, file), content, { mode: 0o600 })
    try {
      return use(file)
    } finally {
      rmSync(join(this.folder, file))
    }
  }

  #entries(): { state: string; serial: string; site: string; gateway: string }[] {
    const lines = readFileSync(join(this.folder, 'index.txt'), 'utf8').split('\n')
    return lines.flatMap(line => {
      const [state = '', , , serial = '', , subject = ''] = line.split('\t')
      const [, site, gateway] = /^\/O=([^/]+)\/CN=([^/]+)$/.exec(subject) ?? []
      return site === undefined || gateway === undefined ? [] : [{ state, serial, site, gateway }]
    })
  }

  #changeClaims(change: (claims: Claims) => void): void {
    const file = join(this.folder, 'claims.json')
    const claims = claimsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    change(claims)
    writeFileSync(`${file}.new`, `${JSON.stringify(claims, null, 1)}\n`, { mode: 0o600, flush: true })
    renameSync(`${file}.new`, file)
  }
}

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
const signing = ['ca', '-batch', '-notext', '-config', 'openssl.cnf']

const settings = `[ca]
default_ca = here
[here]
dir = .
database = index.txt
new_certs_dir = certificates
certificate = root.pem
private_key = root.key
default_md = sha256
rand_serial = yes
policy = names
email_in_dn = no
preserve = yes
copy_extensions = none
[names]
organizationName = optional
commonName = supplied
[req]
distinguished_name = nobody
[nobody]
[root]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[unit]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
`

const serverExtensions = `basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
authorityKeyIdentifier = keyid
`

function openssl(folder: string, words: readonly string[], input: string | Buffer = ''): Buffer {
  const { status, stdout, stderr, error } = spawnSync('openssl', words, { cwd: folder, input })
  if (status !== 0) throw new Error(`openssl ${words[0]} failed: ${error?.message ?? stderr.toString('utf8').trim()}`)
  return stdout
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
