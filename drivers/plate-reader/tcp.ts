import { connect, createServer, type Socket } from 'node:net'
import { type Line, LineError, type LineListener, type OpenLine } from './line.js'
import { LinePlateReader, type LinePlateReaderOptions } from './line-reader.js'

export interface TcpPlateReaderOptions extends Omit<LinePlateReaderOptions, 'title' | 'open'> {
  /** Name or address of the reader. */
  readonly host: string
  readonly port: number
}

export interface TcpServerPlateReaderOptions extends Omit<LinePlateReaderOptions, 'title' | 'open'> {
  /** The one address of this machine to listen on. */
  readonly address: string
  readonly port: number
}

/** A reader that has gone without a word is noticed after so many milliseconds of silence, by the kernel's probes. */
const keepAlive = 10_000
/** A reader that does not answer a call within so many milliseconds is absent. */
const answerTime = 10_000

/** Calls a reader that waits for a connection. Faults as of `LinePlateReader`. */
export class TcpPlateReader extends LinePlateReader {
  constructor({ host, port, ...rest }: TcpPlateReaderOptions) {
    super({ ...rest, title: `The connection to ${host}:${port}`, open: callLine(host, port) })
  }
}

/**
 * Waits for a reader that calls. One reader at a time: a new call takes the place of the one before, because a reader that
 * has restarted calls again while its old connection still looks alive. Faults as of `LinePlateReader`.
 */
export class TcpServerPlateReader extends LinePlateReader {
  constructor({ address, port, ...rest }: TcpServerPlateReaderOptions) {
    super({ ...rest, title: `The connection on ${address}:${port}`, open: awaitCall(address, port) })
  }
}

/** @param port 1 to 65535 */
export function callLine(host: string, port: number): OpenLine {
  return async (listener, signal) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAlive })
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string) => {
        socket.destroy()
        reject(new LineError('device-absent', `Nothing answers at ${host}:${port}: ${why}.`))
      }
      const abort = () => fail('given up')
      signal.addEventListener('abort', abort, { once: true })
      socket.setTimeout(answerTime, () => fail('no answer'))
      socket.once('error', error => fail(error.message))
      socket.once('connect', () => {
        socket.setTimeout(0)
        resolve()
      })
      socket.once('close', () => signal.removeEventListener('abort', abort))
      socket.once('connect', () => signal.removeEventListener('abort', abort))
      if (signal.aborted) abort()
    })
    return lineOf(socket, listener, async () => {})
  }
}

/** @param port 1 to 65535 */
export function awaitCall(address: string, port: number): OpenLine {
  return async (listener, signal) => {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: keepAlive })
    const closed = () =>
      new Promise<void>(resolve => {
        server.close(() => resolve())
      })
    await new Promise<void>((resolve, reject) => {
      server.once('error', error => {
        const fault = 'code' in error && error.code === 'EADDRINUSE' ? 'device-busy' : 'device-refused'
        reject(new LineError(fault, `Nothing can be received on ${address}:${port}: ${error.message}.`))
      })
      server.listen({ host: address, port, backlog: 4 }, resolve)
    })
    if (!signal.aborted) listener.waiting?.(`Nobody has called on ${address}:${port} yet.`)
    const caller = await new Promise<Socket | null>(resolve => {
      const abort = () => resolve(null)
      signal.addEventListener('abort', abort, { once: true })
      server.once('connection', socket => {
        signal.removeEventListener('abort', abort)
        resolve(socket)
      })
      if (signal.aborted) abort()
    })
    if (caller === null) {
      await closed()
      throw new LineError('device-absent', `Nobody has called on ${address}:${port}.`)
    }
    const line = lineOf(caller, listener, closed)
    // The new call is refused with the old one ended; the reader calls again and finds the line free.
    server.on('connection', late => {
      late.destroy()
      caller.destroy()
    })
    return line
  }
}

function lineOf(socket: Socket, listener: LineListener, closed: () => Promise<void>): Line {
  let open = true
  const lost = (reason: string) => {
    if (open) listener.lost(reason)
    open = false
  }
  socket.on('data', (chunk: Buffer) => {
    if (open) listener.bytes(Uint8Array.from(chunk))
  })
  socket.on('error', error => lost(error.message))
  socket.on('close', () => lost('closed'))
  return {
    present: () => !socket.destroyed,
    write(bytes) {
      if (open) socket.write(bytes)
    },
    async close() {
      open = false
      socket.destroy()
      await closed()
    },
  }
}
