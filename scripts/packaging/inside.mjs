// Run in a role's sandbox by scripts/prove-package: tries what the role must not be able to do, and says what it could.
import { existsSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'

const role = process.argv[2]
const certificateKey = '/etc/polewatch/tls/gateway.key'
const could = []
const attempt = (what, action) => {
  try {
    if (action() !== false) could.push(what)
  } catch {}
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
for (const name of ['sensing', 'vision', 'uplink', 'console'].filter(name => name !== role))
  attempt(`read the key of ${name}`, () => readFileSync(`/var/lib/polewatch/keys/${name}.key`))
for (const name of ['sensing', 'vision', 'uplink', 'console'].filter(name => name !== role))
  attempt(`write the journal of ${name}`, () => openSync(`/var/lib/polewatch/${name}.journal.db`, 'r+'))
attempt('write code', () => writeFileSync('/usr/lib/polewatch/dist/planted.js', ''))
attempt('write configuration', () => writeFileSync('/etc/polewatch/planted.yaml', ''))
attempt('write elsewhere', () => writeFileSync('/var/tmp-planted', ''))
attempt('gain privileges by a program of root', () => !/^NoNewPrivs:\s*1$/m.test(readFileSync('/proc/self/status', 'utf8')))
attempt('hold a capability', () => !/^CapBnd:\s*0+$/m.test(readFileSync('/proc/self/status', 'utf8')))
attempt('read the key of the certificate', () => role !== 'uplink' && readFileSync(certificateKey))
attempt('see other processes', () => readdirSync('/proc').filter(name => /^\d+$/.test(name)).some(pid => {
  try { return !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('inside.mjs') } catch { return false }
}))
attempt('open a disk', () => openSync('/dev/vda', 'r'))
attempt('open memory', () => openSync('/dev/mem', 'r'))
if (role !== 'sensing' && role !== 'vision') for (const device of readdirSync('/dev').filter(name => /^(snd|tty(USB|ACM|AMA)|video|gpiochip|pps)/.test(name))) could.push(`see /dev/${device}`)
if (role !== 'hotlist') attempt('write the lists of wanted plates', () => writeFileSync('/var/lib/polewatch/hotlist/planted', ''))
const alone = role !== 'vision' && role !== 'uplink'
if (alone && (await reached(1883, '127.0.0.1'))) could.push('reach a port of this machine')
if (await reached(1883, '192.0.2.1')) could.push('reach an address that no drop-in names')
if (!alone && !(await reached(1883, '127.0.0.1'))) could.push('not even reach the broker')
// Where that is hidden, so is /proc/asound, without which no time of a sound is good to a millisecond.
if (['sensing', 'vision', 'uplink'].includes(role) && !existsSync('/proc/meminfo')) could.push('not see what the kernel says of sound cards, processor and memory')
console.log(`${role}: ${could.length === 0 ? 'could do nothing of it' : `could ${could.join(', ')}`}`)
process.exit(could.length === 0 ? 0 : 1)
