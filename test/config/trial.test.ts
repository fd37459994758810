import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

/** polewatch-trial on a root of the test, with programs in the places of dpkg, apt and systemd that go by files there. */
function unit(root: string) {
  const put = (name: string, text: string, mode = 0o644): void => {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), text)
    chmodSync(join(root, name), mode)
  }
  const read = (name: string): string => readFileSync(join(root, name), 'utf8').trim()
  const program = (name: string, text: string): void => put(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755)
  program(
    'dpkg-query',
    `case $* in
      *Status-Status*polewatch) cat "$POLEWATCH_ROOT/state" ;;
      *polewatch-vision*) exit 1 ;;
      -s*) printf 'Package: polewatch\\nStatus: install ok installed\\nVersion: %s\\n' "$(cat "$POLEWATCH_ROOT/program")" ;;
    esac`,
  )
  program(
    'dpkg-deb',
    'for last; do :; done; cp "$POLEWATCH_ROOT/usr/lib/polewatch.previous/polewatch/DEBIAN/control" "$last"',
  )
  program(
    'apt-get',
    'for last; do :; done; version=$(sed -n "s/^Version: //p" "$last"); echo "installed $version" >"$POLEWATCH_ROOT/state"; echo "$version" >"$POLEWATCH_ROOT/program"',
  )
  program(
    'systemctl',
    'case $* in *is-active*) [ "$(cat "$POLEWATCH_ROOT/program")" != "$(cat "$POLEWATCH_ROOT/broken")" ] ;; *StatusText*) echo "All parts work." ;; esac',
  )
  program('polewatch', 'exit 0')
  program('sleep', '[ "$(cat "$POLEWATCH_ROOT/program")" != "$(cat "$POLEWATCH_ROOT/down")" ] || kill -9 "$PPID"')
  for (const folder of ['var/tmp', 'run']) mkdirSync(join(root, folder), { recursive: true })
  put('usr/lib/systemd/system/polewatch-trial.service', '')
  put('broken', 'none')
  put('down', 'none')
  put('program', '1')
  put('state', 'installed 1')
  const boot = (id: string): void => put('proc/sys/kernel/random/boot_id', `${id}\n`)
  boot('first')
  const run = (script: string, ...words: string[]): string => {
    const env = {
      ...process.env,
      PATH: `${join(root, 'bin')}:${process.env.PATH}`,
      POLEWATCH_ROOT: root,
      POLEWATCH_TRIAL_SECONDS: '1',
    }
    const { status, stdout, stderr } = spawnSync('sh', [script, ...words], { encoding: 'utf8', env })
    return status === 0 ? stdout : `status ${status}: ${stderr}`
  }
  return {
    boot,
    compare: (...words: string[]): string => run('scripts/packaging/polewatch-trial', ...words),
    /** What the installation of a version comes to. */
    upgrade(version: string, state: string): void {
      put('state', `half-configured ${read('program')}`)
      run('scripts/packaging/polewatch-trial', 'begin', version)
      put('program', version)
      put('state', `${state} ${version}`)
    },
    /** As systemd does at each start of the computer, as long as the file of the unit is there. */
    watch: (): string =>
      existsSync(join(root, 'etc/systemd/system/polewatch-trial.service'))
        ? run(join(root, 'usr/lib/polewatch.previous/trial'), 'watch')
        : 'there is no trial',
    /** Version with which the computer goes down before the roles are judged. */
    goesDown: (version: string) => put('down', version),
    breaks: (version: string) => put('broken', version),
    state: () => read('state'),
    refused: () => read('etc/apt/preferences.d/polewatch-taken-back').match(/version (.*)/)?.[1],
    cutOffTakingBack: () => put('usr/lib/polewatch.previous/refused', 'it did worse'),
  }
}

test('a trial goes on after a restart of the computer, and takes back what does worse', t => {
  const { boot, upgrade, watch, breaks, state, refused } = unit(t.testdir())
  upgrade('2', 'installed')
  breaks('2')
  boot('second')
  t.match(watch(), /taken back: sensing does worse[\s\S]*installed 1: it runs again/)
  t.equal(state(), 'installed 1')
  t.equal(refused(), '2', 'apt does not take it again')
  t.equal(watch(), 'there is no trial')
  t.end()
})

test('a version that does as well stays, also over a restart', t => {
  const { boot, upgrade, watch, state } = unit(t.testdir())
  upgrade('2', 'installed')
  boot('second')
  t.match(watch(), /polewatch 2 does as well/)
  t.equal(state(), 'installed 2')
  t.equal(watch(), 'there is no trial')
  t.end()
})

test('an installation or a step back that a restart cuts off ends with the version before', t => {
  const { boot, upgrade, watch, state, cutOffTakingBack } = unit(t.testdir())
  upgrade('2', 'half-installed')
  boot('second')
  t.match(watch(), /its installation did not come to an end/)
  t.equal(state(), 'installed 1')
  upgrade('3', 'installed')
  cutOffTakingBack()
  boot('third')
  t.match(watch(), /polewatch 3 is taken back: it did worse/)
  t.equal(state(), 'installed 1')
  t.end()
})

test('a version with which the computer starts again and again is taken back', t => {
  const { boot, upgrade, watch, state, goesDown } = unit(t.testdir())
  upgrade('2', 'installed')
  goesDown('2')
  for (const id of ['second', 'third']) {
    boot(id)
    t.match(watch(), /^status null/, 'the computer goes down before anything is judged')
  }
  boot('fourth')
  t.match(watch(), /starts again and again/)
  t.equal(state(), 'installed 1')
  t.end()
})

test('an upgrade during a trial is judged by the last version that has proven itself', t => {
  const { upgrade, watch, breaks, state, refused } = unit(t.testdir())
  upgrade('2', 'installed')
  upgrade('3', 'installed')
  breaks('3')
  t.match(watch(), /polewatch 3 is taken back/)
  t.equal(state(), 'installed 1')
  t.equal(refused(), '3')
  t.end()
})

test('how the roles do is noted and compared for whole images too, also where nothing was noted', t => {
  const root = t.testdir()
  const { compare, breaks } = unit(root)
  const note = join(root, 'before')
  t.equal(compare('note', note), '')
  t.match(readFileSync(note, 'utf8'), /^sensing 2\nvision 2\nuplink 2\n$/)
  t.equal(compare('compare', note, '30'), '')
  breaks('1')
  t.match(compare('compare', note, '1'), /status 1/)
  t.match(compare('compare', join(root, 'absent'), '1'), /status 1/, 'it has at least to run')
  breaks('none')
  t.equal(compare('compare', join(root, 'absent'), '30'), '')
  t.end()
})
