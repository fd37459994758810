import { createSocket } from 'unix-dgram'

/**
 * Tells systemd how a service is, by the datagrams of sd_notify(3).
 *
 * Where no service manager waits for notices (`NOTIFY_SOCKET` is not set) every call does nothing.
 */
export class ServiceManager {
  readonly #path: string | undefined
  readonly #socket: ReturnType<typeof createSocket> | undefined

  constructor(environment: Readonly<Record<string, string | undefined>> = process.env) {
    // A name that begins with @ is in the abstract namespace, whose first byte is zero.
    this.#path = environment.NOTIFY_SOCKET?.replace(/^@/, '\0')
    if (this.#path === undefined) return
    this.#socket = createSocket('unix_dgram')
    // A manager that is restarting reads nothing; the next notice comes anyway.
    this.#socket.on('error', () => {})
  }

  /** The service has opened its files and works from here on. */
  ready(): void {
    this.#send('READY=1')
  }

  /** Whatever must deliver has delivered since the last time. */
  alive(): void {
    this.#send('WATCHDOG=1')
  }

  /** One sentence for `systemctl status`. */
  status(sentence: string): void {
    this.#send(`STATUS=${sentence.replaceAll('\n', ' ')}`)
  }

  /** The service ends by itself; it is not to be taken for dead meanwhile. */
  stopping(): void {
    this.#send('STOPPING=1')
  }

  close(): void {
    this.#socket?.close()
  }

  #send(notice: string): void {
    if (this.#path === undefined) return
    const bytes = Buffer.from(notice)
    this.#socket?.send(bytes, 0, bytes.length, this.#path, () => {})
  }
}
