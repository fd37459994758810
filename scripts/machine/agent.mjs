// Runs in the machine what the host asks for over a port. A request is a line of JSON: {"id": N, "command": "…"}; an answer
// is lines of JSON: {"id": N, "output": "…"} as it comes, then {"id": N, "status": N}. Requests run side by side.
import { spawn } from 'node:child_process'
import { openSync, read, writeSync } from 'node:fs'

const port = openSync('/dev/virtio-ports/polewatch', 'r+')

function tell(message) {
  let data = Buffer.from(`${JSON.stringify(message)}\n`)
  while (data.length > 0) data = data.subarray(writeSync(port, data))
}

function run({ id, command }) {
  const child = spawn('/bin/bash', ['-c', `exec 2>&1\n${command}`], { stdio: ['ignore', 'pipe', 'ignore'], cwd: '/' })
  child.stdout.setEncoding('utf8').on('data', output => tell({ id, output }))
  child.once('error', error => tell({ id, output: error.message }))
  child.once('close', status => tell({ id, status: status ?? 255 }))
}

const buffer = Buffer.alloc(65536)
let pending = ''
function listen() {
  read(port, buffer, 0, buffer.length, null, (error, count) => {
    // A port whose other end nobody holds reads as ended.
    if (error !== null || count === 0) return setTimeout(listen, 50)
    const lines = (pending + buffer.toString('utf8', 0, count)).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) run(JSON.parse(line))
    listen()
  })
}
tell({ ready: true })
listen()
