import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
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
  // What a version says of itself, by the seconds since it was installed: `says/VERSION/ROLE` has lines `SECOND STATUS`; the last one reached holds.
  program(
    'systemctl',
    `version=$(cat "$POLEWATCH_ROOT/program") age=$(($(cut -d . -f 1 "$POLEWATCH_ROOT/proc/uptime") - $(cat "$POLEWATCH_ROOT/since")))
    case $* in
      *is-active*) [ "$version" != "$(cat "$POLEWATCH_ROOT/broken")" ] ;;
      *StatusText*)
        for role; do role=\${role#polewatch-}; done
        said=$(awk -v age="$age" '$1 <= age { $1 = ""; said = substr($0, 2) } END { print said }' "$POLEWATCH_ROOT/says/$version/$role" 2>/dev/null)
        echo "\${said:-All parts work.}" ;;
      *InvocationID*) every=$(cat "$POLEWATCH_ROOT/says/$version/starts" 2>/dev/null) || every=1000000; echo $((age / every)) ;;
    esac`,
  )
  program('polewatch', 'exit 0')
  // It takes no time, and ten times as much of the root's.
  program(
    'sleep',
    `[ "$(cat "$POLEWATCH_ROOT/program")" != "$(cat "$POLEWATCH_ROOT/down")" ] || kill -9 "$PPID"
    now=$(($(cut -d . -f 1 "$POLEWATCH_ROOT/proc/uptime") + 10 * $1))
    echo "$now.00 0.00" >"$POLEWATCH_ROOT/proc/uptime"
    # What happens at that time.
    ! [ -e "$POLEWATCH_ROOT/at/$now" ] || . "$POLEWATCH_ROOT/at/$now"`,
  )
  for (const folder of ['var/tmp', 'run']) mkdirSync(join(root, folder), { recursive: true })
  put('usr/lib/systemd/system/polewatch-trial.service', '')
  put('broken', 'none')
  put('down', 'none')
  put('program', '1')
  put('state', 'installed 1')
  const boot = (id: string): void => put('proc/sys/kernel/random/boot_id', `${id}\n`)
  boot('first')
  put('proc/uptime', '1000.00 0.00\n')
  put('proc/locks', '')
  put('since', '0')
  const now = (): number => Number.parseInt(read('proc/uptime'), 10)
  const run = (script: string, ...words: string[]): string => {
    const env = {
      ...process.env,
      PATH: `${join(root, 'bin')}:${process.env.PATH}`,
      POLEWATCH_ROOT: root,
      POLEWATCH_TRIAL_SECONDS: '300',
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
      put('since', String(now()))
      put('state', `${state} ${version}`)
    },
    now,
    /** What a role of a version says from so many seconds after its installation on. */
    says: (version: string, role: string, lines: Readonly<Record<number, string>>) =>
      put(
        `says/${version}/${role}`,
        Object.entries(lines)
          .map(([second, line]) => `${second} ${line}\n`)
          .join(''),
      ),
    startsEvery: (version: string, seconds: number) => put(`says/${version}/starts`, String(seconds)),
    /** apt, which has other packages to see to, until that time. */
    aptWorks(until: number): void {
      put('var/lib/dpkg/lock-frontend', '')
      const { ino } = statSync(join(root, 'var/lib/dpkg/lock-frontend'))
      put('proc/locks', `1: POSIX  ADVISORY  WRITE 77 fe:01:${ino} 0 EOF\n`)
      put(`at/${until}`, 'echo >"$POLEWATCH_ROOT/proc/locks"')
    },
    stateAt: (time: number, state: string) => put(`at/${time}`, `echo '${state}' >"$POLEWATCH_ROOT/state"`),
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

const works = { 0: 'All parts work. Online.' }
const reachesItsHub = { 0: 'All parts work.', 20: 'All parts work. Online.' }

test('a version stays only after a hundred seconds without a break, in which every role did as well as before', t => {
  const { upgrade, watch, says, now, state } = unit(t.testdir())
  says('1', 'uplink', works)
  says('2', 'uplink', reachesItsHub)
  const began = now()
  upgrade('2', 'installed')
  t.match(watch(), /polewatch 2 does as well/)
  t.equal(state(), 'installed 2')
  t.equal(now() - began, 120)
  t.end()
})

test('a version that does not reach its hub again, or says so late, is taken back', t => {
  const silent = unit(t.testdir())
  silent.says('1', 'uplink', works)
  silent.says('2', 'uplink', { 0: 'All parts work.' })
  silent.upgrade('2', 'installed')
  t.match(silent.watch(), /uplink is not online again/)
  t.equal(silent.state(), 'installed 1')
  const late = unit(t.testdir())
  late.says('1', 'uplink', works)
  late.says('2', 'uplink', { 0: 'All parts work.', 60: "hub: the broker's certificate is not trusted" })
  late.upgrade('2', 'installed')
  t.match(late.watch(), /uplink does worse than before/)
  t.equal(late.state(), 'installed 1')
  t.end()
})

test('a version whose capture ends after a minute, or starts its role again and again, is taken back', t => {
  const deaf = unit(t.testdir())
  deaf.says('2', 'sensing', { 0: 'All parts work.', 65: 'roof: it gives no sound' })
  deaf.upgrade('2', 'installed')
  t.match(deaf.watch(), /sensing does worse than before/)
  t.equal(deaf.state(), 'installed 1')
  const hanging = unit(t.testdir())
  hanging.startsEvery('2', 90)
  hanging.upgrade('2', 'installed')
  t.match(hanging.watch(), /a role starts again and again/)
  t.equal(hanging.state(), 'installed 1')
  t.end()
})

test('a unit that was offline before is not held to a network, whether or not that had been told yet', t => {
  for (const before of ['All parts work.', 'hub: the broker does not answer']) {
    const { upgrade, watch, says, state } = unit(t.testdir())
    says('1', 'uplink', { 0: before })
    says('2', 'uplink', { 0: 'All parts work.', 60: 'hub: the broker does not answer' })
    upgrade('2', 'installed')
    t.match(watch(), /polewatch 2 does as well/)
    t.equal(state(), 'installed 2')
  }
  t.end()
})

test('however long apt takes with other packages, the limit begins when it is done', t => {
  const { upgrade, watch, now, aptWorks, stateAt, state } = unit(t.testdir())
  upgrade('2', 'half-installed')
  const began = now()
  aptWorks(began + 1500)
  stateAt(began + 1200, 'installed 2')
  t.match(watch(), /polewatch 2 does as well/)
  t.equal(state(), 'installed 2')
  t.equal(now() - began, 1600)
  const broken = unit(t.testdir())
  broken.upgrade('2', 'half-installed')
  const then = broken.now()
  broken.aptWorks(then + 1000)
  t.match(broken.watch(), /its installation did not come to an end/)
  t.equal(broken.now() - then, 1890, 'fifteen minutes after apt has given up')
  t.equal(broken.state(), 'installed 1')
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
  const { compare, breaks, says } = unit(root)
  const note = join(root, 'before')
  t.equal(compare('note', note), '')
  t.match(readFileSync(note, 'utf8'), /^sensing 2\nvision 2\nuplink 1\n$/)
  says('1', 'uplink', works)
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
