import net from 'node:net'
import tls from 'node:tls'
import { generate, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { freePort } from '../../scripts/delivery/mosquitto.js'

/** How a broker misbehaves; what is left out it does as it should. May be changed while it runs. */
export interface BrokerFaults {
  /** `reversed`: four at a time, the last one first. */
  acknowledge?: 'at-once' | 'never' | 'reversed'
  /** Hangs up without a word when the n-th packet of a connection comes. */
  hangUpAt?: number
  /** Acknowledges every message a second time, and one that was never sent. */
  acknowledgeTooMuch?: boolean
  /** The reason code that alerts with a text like this are refused with. */
  refuse?: { readonly text: string; readonly code: number }
  /** Never answers a subscription; or refuses those that are listed, with 0x87. */
  subscriptions?: 'never' | readonly string[]
  /** Announced to the client; acknowledges one message a millisecond, and hangs up when more are under way. */
  receiveMaximum?: number
}

export interface FaultBroker {
  readonly url: string
  readonly faults: BrokerFaults
  /** Every alert that came, in order, each time that it came. */
  readonly alerts: string[]
  /** How often an alert was refused. */
  readonly refusals: () => number
  /** Of each topic that was published to, the message expiry that came with it last, seconds. */
  readonly expiries: ReadonlyMap<string, number | null>
  readonly connections: () => number
  /** Sends a message to the client that is connected. */
  send(topic: string, payload: Uint8Array): void
  /** Ends every connection without a word. */
  cut(): void
  close(): Promise<void>
}

/** An MQTT 5 broker for one client on loopback, which keeps nothing. With `security` it speaks TLS 1.3. */
export async function startFaultBroker(faults: BrokerFaults, security?: tls.TlsOptions): Promise<FaultBroker> {
  const alerts: string[] = []
  let refusals = 0
  const expiries = new Map<string, number | null>()
  const sockets = new Set<net.Socket>()
  let connections = 0
  let current: net.Socket | null = null
  const accept = (socket: net.Socket) => {
    sockets.add(socket)
    current = socket
    connections += 1
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
    const refused = () => {
      refusals += 1
    }
    serve(socket, faults, refused, packet => {
      expiries.set(packet.topic, packet.properties?.messageExpiryInterval ?? null)
      if (packet.topic.includes('/alert/')) alerts.push(String(packet.payload))
    })
  }
  const server = security === undefined ? net.createServer(accept) : tls.createServer(security, accept)
  server.on('tlsClientError', () => undefined)
  const port = await freePort()
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `${security === undefined ? 'mqtt' : 'mqtts'}://127.0.0.1:${port}`,
    faults,
    alerts,
    expiries,
    refusals: () => refusals,
    connections: () => connections,
    send: (topic, payload) => {
      const message = {
        cmd: 'publish',
        topic,
        payload: Buffer.from(payload),
        qos: 0,
        dup: false,
        retain: false,
      } as const
      current?.write(generate(message, { protocolVersion: 5 }))
    },
    cut: () => {
      for (const socket of sockets) socket.destroy()
    },
    close: () => {
      for (const socket of sockets) socket.destroy()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

function serve(
  socket: net.Socket,
  faults: BrokerFaults,
  refused: (packet: IPublishPacket) => void,
  seen: (packet: IPublishPacket) => void,
): void {
  const packets = parser({ protocolVersion: 5 })
  const held: IPublishPacket[] = []
  let unacknowledged = 0
  let free = 0
  let count = 0
  const answer = (packet: Packet) => socket.write(generate(packet, { protocolVersion: 5 }))
  const acknowledge = ({ messageId = 0 }: IPublishPacket) => {
    answer({ cmd: 'puback', messageId, reasonCode: 0 })
    if (faults.acknowledgeTooMuch !== true) return
    answer({ cmd: 'puback', messageId, reasonCode: 0 })
    answer({ cmd: 'puback', messageId: 60_000, reasonCode: 0 })
  }
  const take = (packet: IPublishPacket) => {
    const { refuse } = faults
    if (refuse !== undefined && String(packet.payload).includes(refuse.text)) {
      refused(packet)
      answer({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode: refuse.code })
      return
    }
    seen(packet)
    if (faults.receiveMaximum !== undefined && packet.qos > 0) {
      unacknowledged += 1
      if (unacknowledged > faults.receiveMaximum) return socket.destroy()
      free = Math.max(free, performance.now()) + 1
      setTimeout(() => {
        unacknowledged -= 1
        acknowledge(packet)
      }, free - performance.now())
      return
    }
    if (!packet.topic.includes('/alert/') && packet.qos > 0) return acknowledge(packet)
    if (packet.qos === 0 || faults.acknowledge === 'never') return
    if (faults.acknowledge !== 'reversed') return acknowledge(packet)
    held.push(packet)
    if (held.length === 4) for (const each of held.splice(0).reverse()) acknowledge(each)
  }
  packets.on('packet', packet => {
    count += 1
    if (count === faults.hangUpAt) socket.destroy()
    if (socket.destroyed) return
    if (packet.cmd === 'connect') {
      const { receiveMaximum } = faults
      const properties = receiveMaximum === undefined ? {} : { properties: { receiveMaximum } }
      answer({ cmd: 'connack', sessionPresent: false, reasonCode: 0, ...properties })
    }
    if (packet.cmd === 'pingreq') answer({ cmd: 'pingresp' })
    if (packet.cmd === 'publish') take(packet)
    if (packet.cmd === 'subscribe' && faults.subscriptions !== 'never') {
      const not = faults.subscriptions ?? []
      const granted = packet.subscriptions.map(({ qos, topic }) => (not.includes(topic) ? 0x87 : qos))
      answer({ cmd: 'suback', messageId: packet.messageId ?? 0, granted })
    }
  })
  packets.on('error', () => socket.destroy())
  socket.on('data', bytes => packets.parse(bytes))
}
