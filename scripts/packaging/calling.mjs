// A plate reader that calls, in scripts/prove-package: a wanted plate every ten seconds. It ends when it is not heard, and is started again.
import { connect } from 'node:net'

const line = connect({ port: 7778, host: '192.0.2.2', localAddress: '192.0.2.1' })
const read = () => line.write(`${JSON.stringify({ plate: 'KLM4827', confidence: 0.97 })}\n`)
line.on('connect', () => {
  read()
  setInterval(read, 10_000)
})
line.on('error', () => process.exit(1)).on('close', () => process.exit(1)).resume()
