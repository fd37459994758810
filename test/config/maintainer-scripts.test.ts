import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'tap'

const scripts = resolve('scripts/packaging')
const without = existsSync('/usr/bin/deb-systemd-helper') ? false : 'this is no Debian'
const timers = ['polewatch-hotlist.timer', 'polewatch-report.timer']

/** The scripts by which dpkg installs and takes off the package, on a root of the test; systemd does nothing but say what is enabled there. */
function unit(root: string) {
  const put = (name: string, text: string, mode = 0o644): void => {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), text)
    chmodSync(join(root, name), mode)
  }
  const program = (name: string, text: string): void => put(`stand-ins/${name}`, `#!/bin/sh\n${text}\n`, 0o755)
  for (const name of ['systemd-sysusers', 'systemd-tmpfiles', 'udevadm', 'polewatch']) program(name, 'exit 0')
  program('getent', 'exit 2')
  program(
    'systemctl',
    'for last; do :; done; case $* in *is-enabled*) [ -L "$DPKG_ROOT"/etc/systemd/system/*.wants/"$last" ] ;; esac',
  )
  mkdirSync(join(root, 'run/systemd/system'), { recursive: true })
  const units = join(root, 'usr/lib/systemd/system')
  const link = (name: string): string =>
    join(root, 'etc/systemd/system', `${name.endsWith('timer') ? 'timers' : 'multi-user'}.target.wants`, name)
  const run = (script: string, ...words: string[]) => {
    const PATH = `${join(root, 'stand-ins')}:${process.env.PATH}`
    const env = { ...process.env, PATH, DPKG_ROOT: root, DPKG_MAINTSCRIPT_PACKAGE: 'polewatch' }
    return spawnSync('sh', [join(scripts, `polewatch.${script}`), ...words], { encoding: 'utf8', env })
  }
  const unpack = (names: readonly string[]): void => {
    mkdirSync(units, { recursive: true })
    for (const name of names) copyFileSync(join('systemd', name), join(units, name))
  }
  return {
    put,
    run,
    unpack,
    link,
    /** As `systemctl` does it, also by the one who sets the unit up. */
    enable(name: string): void {
      mkdirSync(join(link(name), '..'), { recursive: true })
      spawnSync('ln', ['-s', `/usr/lib/systemd/system/${name}`, link(name)])
    },
    disable: (name: string) => rmSync(link(name)),
    isEnabled: (name: string) => readdirSync(join(link(name), '..')).includes(name),
  }
}

test('an upgrade enables units that are new, and none that somebody has disabled', { skip: without }, t => {
  const { run, unpack, enable, disable, isEnabled } = unit(t.testdir())
  const before = ['polewatch.target', 'polewatch-apply.path', 'polewatch-hotlist.path', 'polewatch-report.timer']
  unpack(before)
  for (const name of before) enable(name)
  disable('polewatch-report.timer')
  const upgrade = (): void => {
    t.equal(run('preinst', 'upgrade', '1').status, 0)
    unpack([...before, ...timers])
    t.match(run('postinst', 'configure', '1'), { status: 0, stderr: '' })
  }
  upgrade()
  t.ok(isEnabled('polewatch-hotlist.timer'), 'it was not there before')
  t.notOk(isEnabled('polewatch-report.timer'))
  disable('polewatch-hotlist.timer')
  enable('polewatch-report.timer')
  upgrade()
  t.notOk(isEnabled('polewatch-hotlist.timer'), 'at the next upgrade too')
  t.ok(isEnabled('polewatch-report.timer'), 'what is enabled again stays so')
  t.ok(isEnabled('polewatch-apply.path'))
  t.end()
})

test('a unit that has not been set up is not enabled by an upgrade', { skip: without }, t => {
  const { run, unpack, link } = unit(t.testdir())
  unpack(['polewatch.target', ...timers])
  t.equal(run('preinst', 'upgrade', '1').status, 0)
  t.match(run('postinst', 'configure', '1'), { status: 0, stderr: '' })
  t.notOk(existsSync(join(link('polewatch-report.timer'), '..')))
  t.end()
})

test('purging leaves nothing, and of a state folder that is a mount point the empty folder', { skip: without }, t => {
  const root = t.testdir()
  const { put, run } = unit(root)
  const state = join(root, 'var/lib/polewatch')
  const fill = (): void => {
    put('etc/polewatch/tls/gateway.key', 'secret')
    put('var/lib/polewatch/keys/sensing.key', 'secret')
  }
  fill()
  t.match(run('postrm', 'purge'), { status: 0, stderr: '' })
  t.notOk(existsSync(state))
  fill()
  // One that rm cannot take away, as a mount point is.
  put(
    'stand-ins/rm',
    `#!/bin/sh\nstatus=0\nfor path; do case $path in -rf) ;; ${state}) /bin/rm -rf "$path"/* && status=1 ;; *) /bin/rm -rf "$path" ;; esac; done\nexit $status\n`,
    0o755,
  )
  t.match(run('postrm', 'purge'), { status: 0, stderr: '' })
  t.same(readdirSync(state), [])
  t.notOk(existsSync(join(root, 'etc/polewatch')))
  fill()
  put(
    'stand-ins/rm',
    `#!/bin/sh\ncase $2 in ${state}) echo "it is read-only" >&2; exit 1 ;; *) /bin/rm "$@" ;; esac\n`,
    0o755,
  )
  t.match(run('postrm', 'purge'), { status: 1, stderr: /cannot be emptied:\nit is read-only/ })
  t.end()
})
