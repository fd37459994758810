import net from 'node:net'
import tls from 'node:tls'
import mqtt, { type IClientOptions, MqttClient, type Packet, Store } from 'mqtt'
import type { ConnectionOptions, TlsMaterial } from './connection-options.js'

/** A frame of WebSocket is assembled whole and may hold several packets: so much more than the largest one, bytes. */
const frameSlack = 1 << 20

/**
 * Opens an MQTT client that connects at once, once, and keeps nothing of what it sends. `tooLarge` is called with the size of
 * an incoming packet above the limit, before it is held in memory. @throws Error for a URL that is none of ours
 */
export function openClient(options: ConnectionOptions, tooLarge: (size: number) => void): MqttClient {
  const url = new URL(options.url)
  const secure = url.protocol === 'mqtts:' || url.protocol === 'wss:'
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const common = clientOptions(options, url)
  if (url.protocol === 'ws:' || url.protocol === 'wss:') {
    // The types do not know `closeTimeout`: milliseconds until a broker that does not close its side has it closed.
    const wsOptions = {
      ...(secure ? { ...securityOf(options.tls), ...named(options, host) } : {}),
      maxPayload: options.maximumPacketSize + frameSlack,
      closeTimeout: 1000,
    }
    const client = mqtt.connect(url.href, { ...common, wsOptions })
    client.handleMessage = answerLast
    guardSize(client.stream, options.maximumPacketSize, tooLarge)
    return client
  }
  if (url.protocol !== 'mqtt:' && !secure)
    throw new Error(`a broker URL begins with mqtt, mqtts, ws or wss, not ${url.protocol}`)
  const port = url.port === '' ? (secure ? 8883 : 1883) : Number(url.port)
  const client = new MqttClient(() => {
    const socket = secure
      ? tls.connect({
          host,
          port,
          ...named(options, host),
          secureContext: secureContext(options.tls),
          minVersion: 'TLSv1.3',
        })
      : net.connect({ host, port })
    socket.setNoDelay(true)
    guardSize(socket, options.maximumPacketSize, tooLarge)
    return socket
  }, common)
  client.handleMessage = answerLast
  return client
}

/** The name that the broker's certificate has to bear; an address is no name to ask for (RFC 6066). */
function named({ tls }: ConnectionOptions, host: string): { servername?: string } {
  const servername = tls?.serverName ?? host
  return net.isIP(servername) === 0 ? { servername } : {}
}

/** Lets every promise that a message settles run before the broker is answered, which takes as long as a system call. */
const answerLast: MqttClient['handleMessage'] = (_packet, done) => queueMicrotask(() => process.nextTick(done))

function clientOptions(options: ConnectionOptions, url: URL): IClientOptions {
  const v5 = options.protocol === 5
  const { will } = options
  const username = options.username ?? decodeURIComponent(url.username)
  const password = options.password ?? decodeURIComponent(url.password)
  return {
    protocolVersion: options.protocol,
    clientId: options.clientId,
    clean: !v5 || options.sessionExpiry === 0,
    keepalive: options.keepalive,
    connectTimeout: options.connectTimeout * 1000,
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    outgoingStore: new ForgetfulStore(),
    socksProxy: '',
    ...(username === '' ? {} : { username }),
    ...(password === '' ? {} : { password }),
    ...(v5
      ? {
          properties: {
            sessionExpiryInterval: options.sessionExpiry,
            maximumPacketSize: options.maximumPacketSize,
            receiveMaximum: 1000,
          },
        }
      : {}),
    ...(will === undefined
      ? {}
      : {
          will: {
            topic: will.topic,
            payload: asBuffer(will.payload),
            qos: 1 as const,
            retain: true,
            ...(v5 ? { properties: { willDelayInterval: will.delay } } : {}),
          },
        }),
  }
}

const noMaterial: TlsMaterial = {}
const contexts = new WeakMap<TlsMaterial, tls.SecureContext>()

/** Made once of the same material: reading keys and certificates costs as much as the rest of a connection. */
function secureContext(material: TlsMaterial = noMaterial): tls.SecureContext {
  const known = contexts.get(material)
  if (known !== undefined) return known
  const context = tls.createSecureContext(securityOf(material))
  contexts.set(material, context)
  return context
}

function securityOf(material: TlsMaterial | undefined) {
  return {
    minVersion: 'TLSv1.3' as const,
    ...(material?.ca === undefined ? {} : { ca: material.ca }),
    ...(material?.cert === undefined ? {} : { cert: material.cert }),
    ...(material?.key === undefined ? {} : { key: material.key }),
  }
}

/** Keeps nothing: the outbox is the journal, and what was in flight is sent again from there. */
class ForgetfulStore extends Store {
  override put(_packet: Packet, done: DoneCallback): this {
    done()
    return this
  }

  override del(_packet: Pick<Packet, 'messageId'>, done: PacketCallback): this {
    done()
    return this
  }
}

type DoneCallback = Parameters<Store['put']>[1]
type PacketCallback = Parameters<Store['del']>[1]

/** Follows the lengths in MQTT's fixed headers and reports the first packet above `limit` bytes, long before it is whole. */
function guardSize(stream: NodeJS.ReadableStream, limit: number, tooLarge: (size: number) => void): void {
  let skip = 0
  let length = 0
  let shift = 0
  let inLength = false
  stream.on('data', (chunk: Uint8Array) => {
    let at = 0
    while (at < chunk.length) {
      if (skip > 0) {
        const step = Math.min(skip, chunk.length - at)
        skip -= step
        at += step
      } else if (!inLength) {
        inLength = true
        length = 0
        shift = 0
        at += 1
      } else {
        const byte = chunk[at] ?? 0
        length += (byte & 127) * 2 ** shift
        shift += 7
        at += 1
        if (byte >= 128 && shift < 28) continue
        inLength = false
        skip = length
        if (length > limit) return tooLarge(length)
      }
    }
  })
}

/** The same bytes as a Buffer, not copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
