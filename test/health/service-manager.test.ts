import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { createSocket } from 'unix-dgram'
import { roleEnvironment } from '../../gateway/health/role-environment.js'
import { ServiceManager } from '../../gateway/health/service-manager.js'

test('A service manager hears that a role is ready, alive, how it is, and that it ends', async t => {
  const path = join(t.testdir(), 'notify')
  const heard: string[] = []
  const manager = createSocket('unix_dgram')
  manager.on('message', (bytes: Buffer) => heard.push(bytes.toString()))
  manager.bind(path)
  const service = new ServiceManager({ NOTIFY_SOCKET: path })
  service.ready()
  service.alive()
  service.status('roof: No sound arrives.\nSecond line')
  service.stopping()
  while (heard.length < 4) await new Promise(resolve => setImmediate(resolve))
  service.close()
  manager.close()
  t.strictSame(heard, ['READY=1', 'WATCHDOG=1', 'STATUS=roof: No sound arrives. Second line', 'STOPPING=1'])
})

test('Without a service manager, and with one that is gone, nothing happens', t => {
  const alone = new ServiceManager({})
  t.doesNotThrow(() => alone.ready())
  alone.close()
  const path = join(t.testdir(), 'notify')
  const manager = createSocket('unix_dgram')
  manager.bind(path)
  manager.close()
  rmSync(path, { force: true })
  const left = new ServiceManager({ NOTIFY_SOCKET: path })
  t.doesNotThrow(() => left.ready())
  left.close()
  t.end()
})

test('The units start each role with what keeps its memory small, as `polewatch run` does', t => {
  for (const [role, environment] of Object.entries(roleEnvironment)) {
    const unit = readFileSync(join(process.cwd(), 'systemd', `polewatch-${role}.service`), 'utf8')
    const set = /^Environment=(.*)$/m
      .exec(unit)?.[1]
      ?.match(/"[^"]*"|\S+/g)
      ?.map(each => each.replaceAll('"', ''))
    t.strictSame(
      set,
      Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    )
  }
  t.end()
})
