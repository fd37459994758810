import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer, type Server } from 'node:https'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { type CertificateAuthority, Refusal } from './authority.js'

const longestBody = 16_384

/**
 * The server's side of EST (RFC 7030) before an authority: `cacerts`, `simpleenroll` for a claim code by HTTP Basic, `simplereenroll`
 * with the certificate in use. It is not listening yet. What happened goes to `tell`, without any code.
 */
export function estServer(authority: CertificateAuthority, tell: (line: string) => void): Server {
  const read = (name: string): string => readFileSync(join(authority.folder, name), 'utf8')
  return createServer(
    {
      key: read('server.key'),
      cert: read('server.pem'),
      ca: authority.root,
      minVersion: 'TLSv1.2',
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => {
      const answer = (status: number, text: string, type = 'text/plain'): void => {
        tell(`${request.method} ${request.url}: ${status}${status === 200 ? '' : ` ${text}`}`)
        const challenge = status === 401 ? { 'WWW-Authenticate': 'Basic realm="polewatch"' } : {}
        const encoding = status === 200 ? { 'Content-Transfer-Encoding': 'base64' } : {}
        response.writeHead(status, { 'Content-Type': type, ...challenge, ...encoding }).end(text)
      }
      const certificate = (pem: string): void =>
        answer(200, authority.packed(pem).toString('base64'), 'application/pkcs7-mime; smime-type=certs-only')
      take(request)
        .then(body => {
          switch (`${request.method} ${request.url}`) {
            case 'GET /.well-known/est/cacerts':
              return certificate(authority.root)
            case 'POST /.well-known/est/simpleenroll': {
              const { user, password } = credentials(request)
              return certificate(authority.issueForClaim(user, password, body, Date.now() / 1000))
            }
            case 'POST /.well-known/est/simplereenroll':
              return certificate(authority.renew(serialOf(request), body))
            default:
              return answer(404, 'there is nothing here')
          }
        })
        .catch((error: unknown) => {
          if (error instanceof Refusal) return answer(401, error.message)
          answer(500, 'the authority failed')
          tell(error instanceof Error ? error.message : String(error))
        })
    },
  )
}

async function take(request: IncomingMessage): Promise<Buffer> {
  let text = ''
  for await (const chunk of request) {
    text += chunk
    if (text.length > longestBody) throw new Refusal('the request is too long')
  }
  return Buffer.from(text, 'base64')
}

function credentials(request: IncomingMessage): { user: string; password: string } {
  const [, encoded = ''] = /^Basic (.+)$/.exec(request.headers.authorization ?? '') ?? []
  const [user = '', password = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  return { user, password }
}

/** TLS has checked that the certificate is ours and whoever shows it holds its key. */
function serialOf({ socket }: IncomingMessage): string {
  if (!(socket instanceof TLSSocket) || !socket.authorized)
    throw new Refusal('a certificate of this authority is needed')
  return socket.getPeerCertificate().serialNumber
}
