import { request } from 'node:https'
import { PolewatchError } from '../errors.js'
import { certificatesOf } from './unit-certificate.js'

/*
 * The client's side of Enrollment over Secure Transport, RFC 7030: sections 4.1 (the authority's certificates), 4.2.1 (the first
 * certificate, for a claim code by HTTP Basic) and 4.2.2 (renewal, with the certificate that the unit has). Bodies are DER in Base64.
 */

export interface Authority {
  /** An https address without a path. */
  readonly server: string
  /** PEM of the roots that it is recognised by; those of the system count for nothing. */
  readonly trust: string
}

export type Proof =
  | { readonly claim: { readonly user: string; readonly code: string } }
  | { readonly certificate: string; readonly key: string }

/** Bytes of an answer at most, and how long it may take, milliseconds. */
const limits = { bytes: 65_536, patience: 30_000 }

/** The authority's own certificates, in PEM. @throws PW_ENROLMENT_UNREACHABLE, PW_ENROLMENT_ANSWER */
export async function authorityCertificates(authority: Authority): Promise<string[]> {
  return certificatesOf(await ask(authority, 'cacerts', null, null))
}

/**
 * The certificates that answer a request (PKCS #10 in DER), in PEM: the unit's, maybe with others. A first certificate is proved by a
 * claim, a renewal by the certificate in use. @throws PW_ENROLMENT_UNREACHABLE, PW_ENROLMENT_REFUSED, PW_ENROLMENT_PENDING,
 * PW_ENROLMENT_ANSWER
 */
export async function enrol(authority: Authority, certificateRequest: Buffer, proof: Proof): Promise<string[]> {
  const operation = 'claim' in proof ? 'simpleenroll' : 'simplereenroll'
  return certificatesOf(await ask(authority, operation, certificateRequest, proof))
}

function ask(
  { server, trust }: Authority,
  operation: string,
  body: Buffer | null,
  proof: Proof | null,
): Promise<Buffer> {
  const text = body === null ? null : body.toString('base64')
  return new Promise((resolve, reject) => {
    const unreachable = (error: Error): void =>
      reject(new PolewatchError('PW_ENROLMENT_UNREACHABLE', { server, why: error.message }, error))
    const sent = request(
      new URL(`/.well-known/est/${operation}`, server),
      {
        method: text === null ? 'GET' : 'POST',
        agent: false,
        ca: trust,
        minVersion: 'TLSv1.2',
        timeout: limits.patience,
        signal: AbortSignal.timeout(limits.patience),
        ...(proof !== null && 'key' in proof ? { cert: proof.certificate, key: proof.key } : {}),
        headers: {
          ...(text === null
            ? {}
            : {
                'Content-Type': 'application/pkcs10',
                'Content-Transfer-Encoding': 'base64',
                'Content-Length': text.length,
              }),
          ...(proof !== null && 'claim' in proof
            ? { Authorization: `Basic ${Buffer.from(`${proof.claim.user}:${proof.claim.code}`).toString('base64')}` }
            : {}),
        },
      },
      answer => {
        const chunks: Buffer[] = []
        let size = 0
        answer.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > limits.bytes) sent.destroy(new Error('its answer is too long'))
          else chunks.push(chunk)
        })
        answer.once('error', unreachable)
        answer.once('end', () => {
          const said = Buffer.concat(chunks).toString('latin1')
          const fault = faultOf(server, answer.statusCode ?? 0, answer.headers['retry-after'], said)
          if (fault === null) resolve(Buffer.from(said, 'base64'))
          else reject(fault)
        })
      },
    )
    sent.once('timeout', () => sent.destroy(new Error('it does not answer')))
    sent.once('error', unreachable)
    sent.end(text ?? undefined)
  })
}

function faultOf(server: string, status: number, retryAfter: string | undefined, said: string): PolewatchError | null {
  if (status === 200) return null
  if (status === 202) return new PolewatchError('PW_ENROLMENT_PENDING', { server, seconds: retryAfter ?? 'some' })
  const words = said
    .replaceAll(/[^\x20-\x7e]+/g, ' ')
    .trim()
    .slice(0, 200)
  if (status >= 400 && status < 500)
    return new PolewatchError('PW_ENROLMENT_REFUSED', { server, why: `${status} ${words}`.trim() })
  return new PolewatchError('PW_ENROLMENT_UNREACHABLE', { server, why: `it answers with status ${status}` })
}
