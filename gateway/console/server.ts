import { readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:https'
import { fileURLToPath } from 'node:url'
import { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import { z } from 'zod'
import { PolewatchError } from '../errors.js'
import type { ConsoleBackend } from './backend.js'
import { LiveFeed } from './live-feed.js'
import { type Session, Sessions } from './sessions.js'

const page = (name: string): string => fileURLToPath(new URL(`../../../gateway/console/page/${name}`, import.meta.url))
const plot = (name: string): string => fileURLToPath(new URL(name, import.meta.resolve('uplot')))

const script = 'text/javascript; charset=utf-8'
const style = 'text/css; charset=utf-8'
/** Everything the page is made of; there is nothing in it that is not for anybody to see. */
const assets: Readonly<Record<string, { readonly file: string; readonly type: string }>> = {
  '/': { file: page('index.html'), type: 'text/html; charset=utf-8' },
  '/console.js': { file: page('console.js'), type: script },
  '/plots.js': { file: page('plots.js'), type: script },
  '/console.css': { file: page('console.css'), type: style },
  '/uplot.js': { file: plot('uPlot.iife.min.js'), type: script },
  '/uplot.css': { file: plot('uPlot.min.css'), type: style },
}

const headers: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
  'cache-control': 'no-store',
}

const cookieName = 'polewatch-console'
const loopback = /^(::ffff:)?127\.|^::1$/
/** An address, or this machine: another site's name that leads here is somebody's trick. */
const ownHost = /^(localhost|\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])(:\d{1,5})?$/i

const signIn = z.strictObject({
  phrase: z.string().min(1).max(200),
  who: z.string().trim().min(2).max(80),
  purpose: z.enum(['installation', 'fault-finding', 'inspection', 'residents-question']),
})

export interface ConsoleServer {
  readonly app: FastifyInstance
  /** When somebody was last there, by the clock given; now, while a page is open. */
  usedAt(): number
}

/** The same page, encrypted (TLS 1.3), for another socket; whoever made it closes it. The app has to be ready. */
export function encryptedServer(app: FastifyInstance, { key, cert }: { key: string; cert: string }): Server {
  const server = createServer({ key, cert, minVersion: 'TLSv1.3', requestTimeout: 10_000 }, (request, response) =>
    app.routing(request, response),
  )
  server.maxConnections = 64
  return server
}

/** The technician's page, for this machine alone: over another network it answers only where it is encrypted. @param clock monotonic, seconds */
export function consoleServer(backend: ConsoleBackend, clock: () => number): ConsoleServer {
  const sessions = new Sessions(clock)
  const feed = new LiveFeed(backend, token => sessions.find(token, false) !== null)
  let usedAt = clock()
  const app = fastify({ bodyLimit: 4096, requestTimeout: 10_000, logger: false })
  app.server.maxConnections = 64

  const sessionOf = (request: FastifyRequest): Session | null => sessions.find(tokenOf(request), true)
  /** Before anything is shown or done: a page asks many times, which is one look a session; what is done is recorded each time. */
  const record = async (session: Session, subject: string): Promise<void> => {
    if (subject === 'look' && session.looked) return
    await backend.record(subject, { who: session.who, purpose: session.purpose })
    if (subject === 'look') session.looked = true
  }
  const guarded =
    <Answer>(subject: string, answer: (session: Session, reply: FastifyReply) => Answer) =>
    async (request: FastifyRequest, reply: FastifyReply) => {
      const session = sessionOf(request)
      if (session === null) return refuse(reply, 401, 'Sign in first.')
      await record(session, subject)
      return answer(session, reply)
    }

  app.addHook('onRequest', async (request, reply) => {
    usedAt = clock()
    reply.headers(headers)
    if (request.protocol !== 'https' && !loopback.test(request.ip))
      return refuse(reply, 403, 'Not over a network in the clear: come by SSH, or to the encrypted port.')
    const foreign =
      request.method !== 'GET' && request.headers.origin !== `${request.protocol}://${request.headers.host}`
    if (!ownHost.test(request.headers.host ?? '') || foreign)
      return refuse(reply, 403, 'This page is for its own address only.')
    return undefined
  })
  app.setErrorHandler<FastifyError | PolewatchError>((error, _, reply) => {
    if (error instanceof PolewatchError) return refuse(reply, 503, `${error.message} ${error.advice}`, error.code)
    const status = error.statusCode ?? 500
    if (status >= 500) backend.failed(error)
    return refuse(reply, status, 'That could not be done.')
  })
  app.setNotFoundHandler((_, reply) => refuse(reply, 404, 'There is nothing here.'))

  for (const [path, { file, type }] of Object.entries(assets)) {
    const content = readFileSync(file)
    app.get(path, async (_, reply) => reply.type(type).send(content))
  }
  app.get('/favicon.ico', async (_, reply) => reply.code(204).send())
  app.get('/unit', async request => {
    const { site, gateway } = backend
    return { site, gateway, signedIn: sessionOf(request) !== null }
  })
  app.post('/sign-in', async (request, reply) => {
    const asked = signIn.safeParse(request.body)
    if (!asked.success) return refuse(reply, 400, 'Say who you are and what for.')
    const wait = sessions.mayTry()
    if (wait > 0) return refuse(reply.header('retry-after', wait), 429, `Too many tries. Wait ${wait} s.`)
    const { phrase, who, purpose } = asked.data
    if (!(await backend.admits(phrase))) {
      await backend.record('sign-in-refused', { who, purpose })
      return refuse(reply, 401, 'That is not the pass phrase.')
    }
    await backend.record('sign-in', { who, purpose })
    const { token } = sessions.begin({ who, purpose })
    const secure = request.protocol === 'https' ? '; Secure' : ''
    return reply
      .header('set-cookie', `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Strict${secure}`)
      .send({ who })
  })
  app.post('/sign-out', async (request, reply) => {
    const session = sessionOf(request)
    if (session !== null) {
      sessions.end(session.token)
      await backend.record('sign-out', { who: session.who, purpose: session.purpose })
    }
    return reply.header('set-cookie', `${cookieName}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict`).send({})
  })
  app.get(
    '/live',
    guarded('look', (session, reply) => {
      reply.hijack()
      feed.follow(session.token, reply.raw, headers)
    }),
  )
  app.get(
    '/faults',
    guarded('look', () => backend.faults()),
  )
  app.get(
    '/policy',
    guarded('look', () => backend.policy()),
  )
  app.get(
    '/accesses',
    guarded('look', () => backend.accesses()),
  )
  app.post(
    '/clap-test',
    guarded('clap-test', session => {
      feed.beginClapTest(session.token)
      return {}
    }),
  )
  app.post(
    '/exercise-alert',
    guarded('exercise-alert', async () => ({ acknowledgedAfter: await backend.exerciseAlert() })),
  )
  app.addHook('preClose', async () => feed.close())
  return { app, usedAt: () => (feed.followers > 0 ? clock() : usedAt) }
}

function refuse(reply: FastifyReply, status: number, why: string, code: string | null = null): FastifyReply {
  return reply.code(status).send({ why, code })
}

function tokenOf({ headers }: FastifyRequest): string | undefined {
  const pairs = (headers.cookie ?? '').split(';').map(pair => pair.trim().split('='))
  return pairs.find(([name]) => name === cookieName)?.[1]
}
