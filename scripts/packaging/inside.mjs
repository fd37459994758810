// Run in a role's sandbox by scripts/prove-package: tries what the role must not be able to do, and says what it could.
// As `nobody-holds-it`, root without a sandbox, it says what it could not: what cannot be done here at all proves nothing of the roles.
import { existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'

const role = process.argv[2]
const free = role === 'nobody-holds-it'
const could = []
const couldNot = []
const note = (what, done) => (done ? could : couldNot).push(what)
const attempt = (what, action) => {
  try {
    note(what, action() !== false)
  } catch {
    note(what, false)
  }
}
const plant = path => {
  writeFileSync(path, '')
  rmSync(path)
}
const reached = (port, host) =>
  new Promise(resolve => {
    try {
      const socket = connect({ port, host, timeout: 2000 })
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)).once('timeout', () => resolve(false))
    } catch {
      resolve(false)
    }
  })
for (const name of ['sensing', 'vision', 'uplink', 'console'].filter(name => name !== role)) {
  attempt(`read the key of ${name}`, () => readFileSync(`/var/lib/polewatch/keys/${name}.key`))
  attempt(`write the journal of ${name}`, () => openSync(`/var/lib/polewatch/${name}.journal.db`, 'r+'))
}
attempt('write code', () => plant('/usr/lib/polewatch/dist/planted.js'))
attempt('write configuration', () => plant('/etc/polewatch/planted.yaml'))
// Everybody may write there but for the sandbox.
attempt('write elsewhere', () => plant('/srv/anybody/planted'))
if (role !== 'hotlist') attempt('write the lists of wanted plates', () => plant('/var/lib/polewatch/hotlist/planted'))
if (role !== 'uplink') attempt('read the key of the certificate', () => readFileSync('/etc/polewatch/tls/gateway.key'))
if (role !== 'vision') attempt('read the password of a camera', () => readFileSync('/etc/polewatch/lane-camera.password'))
attempt('gain privileges by a program of root', () => !/^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'utf8')))
attempt('hold a capability', () => !/^CapBnd:\s*0+$/m.test(readFileSync('/proc/self/status', 'utf8')))
attempt('see other processes', () => readdirSync('/proc').filter(name => /^\d+$/.test(name)).some(pid => {
  try { return !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('inside.mjs') } catch { return false }
}))
// A device that anybody may open but for the sandbox, and of no use to any role.
attempt('open a device that is not its own', () => openSync('/dev/planted', 'r'))
if (role !== 'sensing' && role !== 'vision') attempt('see devices', () => readdirSync('/dev').includes('planted'))
const alone = role !== 'vision' && role !== 'uplink'
if (alone) note('reach a port of this machine', await reached(1883, '127.0.0.1'))
note('reach an address that no drop-in names', await reached(1883, '192.0.2.1'))
if (!free && !alone && !(await reached(1883, '127.0.0.1'))) could.push('not even reach the broker')
// Where that is hidden, so is /proc/asound, without which no time of a sound is good to a millisecond.
if (['sensing', 'vision', 'uplink'].includes(role) && !existsSync('/proc/meminfo')) could.push('not see what the kernel says of sound cards, processor and memory')
const wrong = free ? couldNot : could
console.log(`${role}: could ${free ? 'not ' : ''}${wrong.length === 0 ? `${free ? 'fail at any' : 'do none'} of ${could.length + couldNot.length}` : wrong.join(', ')}`)
process.exit(wrong.length === 0 ? 0 : 1)
