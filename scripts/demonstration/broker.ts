import { createServer } from 'node:net'
import { Aedes } from 'aedes'

// The demo's embedded broker: MQTT 3.1.1, loopback only, nothing kept. Argument: the TCP port.
const port = Number(process.argv[2])
const broker = await Aedes.createBroker()
const server = createServer(broker.handle)
server.on('error', error => {
  process.stderr.write(`The embedded broker cannot listen on port ${port}: ${error.message}.\n`)
  process.exit(1)
})
server.listen(port, '127.0.0.1', () => process.stdout.write(`listening on mqtt://127.0.0.1:${port}\n`))
process.on('SIGTERM', () => process.exit(0))
