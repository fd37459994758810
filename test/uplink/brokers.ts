import net from 'node:net'
import { Aedes } from 'aedes'
import { freePort, mosquittoProgram, startableMosquitto, type TestBroker } from '../../scripts/delivery/mosquitto.js'

export { freePort, startableMosquitto, type TestBroker } from '../../scripts/delivery/mosquitto.js'

export interface BrokerKind {
  readonly name: string
  /** Why it cannot be had here; false when it can. */
  readonly missing: string | false
  create(): Promise<TestBroker>
}

export const brokerKinds: readonly BrokerKind[] = [
  { name: 'aedes (MQTT 3.1.1)', missing: false, create: createAedes },
  {
    name: 'Mosquitto (MQTT 5)',
    missing: mosquittoProgram === undefined ? 'mosquitto is not installed' : false,
    create: () => startableMosquitto(),
  },
]

/** A Mosquitto that runs until the test is over; to be asked for only where it is not `missing`. */
export async function runningMosquitto(t: { teardown(over: () => unknown): unknown }): Promise<TestBroker> {
  const broker = await startableMosquitto()
  t.teardown(() => broker.remove())
  await broker.up()
  return broker
}

async function createAedes(): Promise<TestBroker> {
  const port = await freePort()
  let stop = async () => {}
  return {
    url: `mqtt://127.0.0.1:${port}`,
    port,
    async up() {
      const aedes = await Aedes.createBroker()
      const sockets = new Set<net.Socket>()
      const server = net.createServer(socket => {
        sockets.add(socket)
        socket.on('close', () => sockets.delete(socket))
        socket.on('error', () => undefined)
        aedes.handle(socket)
      })
      await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
      stop = async () => {
        for (const socket of sockets) socket.destroy()
        await new Promise(resolve => server.close(resolve))
        await new Promise<void>(resolve => aedes.close(resolve))
      }
    },
    async down() {
      await stop()
      stop = async () => {}
    },
    remove: () => stop(),
  }
}
