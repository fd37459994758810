import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TlsMaterial } from '../../gateway/uplink/connection-options.js'

/** PEM files of an authority, a broker at 127.0.0.1 and a client, made anew and good for a day. */
export interface CertificateFiles {
  readonly authority: string
  readonly server: string
  readonly serverKey: string
  readonly client: string
  readonly clientKey: string
}

/** Makes the files in a folder. `serverDays` may be negative for a broker whose certificate has run out. @throws Error where openssl fails */
export function makeCertificates(folder: string, serverDays = 1): CertificateFiles {
  const file = (name: string) => join(folder, name)
  const run = (...words: string[]): void => {
    const { status, stderr, error } = spawnSync('openssl', words, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${words[0]} failed: ${error?.message ?? stderr}`)
  }
  const runs = (...words: string[]): boolean => spawnSync('openssl', words, { cwd: folder }).status === 0
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  run(
    'req',
    '-x509',
    ...key,
    '-subj',
    '/CN=authority',
    '-days',
    '1',
    '-keyout',
    'authority.key',
    '-out',
    'authority.pem',
  )
  const issue = (name: string, subject: string, extension: string, days: number): void => {
    writeFileSync(file(`${name}.ext`), `${extension}\n`)
    run('req', ...key, '-subj', `/CN=${subject}`, '-keyout', `${name}.key`, '-out', `${name}.csr`)
    const files = ['-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial', '-extfile', `${name}.ext`]
    const sign = ['x509', '-req', '-in', `${name}.csr`, ...files, '-out', `${name}.pem`]
    // OpenSSL 3.4 and later refuse negative days and take dates; earlier ones know no dates.
    if (days < 0 && runs(...sign, '-not_before', '20200101000000Z', '-not_after', '20200102000000Z')) return
    run(...sign, '-days', String(days))
  }
  issue('server', 'localhost', 'subjectAltName=IP:127.0.0.1,DNS:localhost', serverDays)
  issue('client', 'client', 'extendedKeyUsage=clientAuth', 1)
  return {
    authority: file('authority.pem'),
    server: file('server.pem'),
    serverKey: file('server.key'),
    client: file('client.pem'),
    clientKey: file('client.key'),
  }
}

/** What a client needs of them. */
export function clientTls({ authority, client, clientKey }: CertificateFiles): TlsMaterial {
  return {
    ca: readFileSync(authority, 'utf8'),
    cert: readFileSync(client, 'utf8'),
    key: readFileSync(clientKey, 'utf8'),
  }
}
