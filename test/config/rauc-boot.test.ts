import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'

/** RAUC's boot backend on folders of the test, as a Raspberry Pi whose first root runs. */
function pi(folder: string) {
  const autoboot = join(folder, 'autoboot.txt')
  writeFileSync(autoboot, '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n')
  const commandLine = join(folder, 'cmdline')
  writeFileSync(commandLine, 'console=tty1 root=PARTLABEL=root-a ro\n')
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const program = (name: string, text: string) =>
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 })
  program(
    'rauc',
    'boot=firmware-config/host/rauc-boot; exec $boot set-state "$($boot get-current)" "$(echo "$2" | cut -c 6-)"',
  )
  program('systemctl', 'touch "$RAUC_BOOT_FOLDER/started-anew"')
  program(
    'trial',
    'if [ "$1" = note ]; then echo noted >"$2"; else [ -e "$2" ] && [ ! -e "$RAUC_BOOT_FOLDER/worse" ]; fi',
  )
  const run = (name: string, words: readonly string[]): string => {
    const env = {
      ...process.env,
      PATH: `${bin}:${process.env.PATH}`,
      POLEWATCH_TRIAL: join(bin, 'trial'),
      RAUC_BOOT_FOLDER: folder,
      RAUC_STATE_FOLDER: join(folder, 'states'),
      RAUC_CMDLINE: commandLine,
    }
    const { status, stdout } = spawnSync(`firmware-config/host/${name}`, words, { encoding: 'utf8', env })
    return status === 0 ? stdout.trim() : `status ${status}`
  }
  const backend = (...words: string[]): string => run('rauc-boot', words)
  const boots = (): (string | undefined)[] =>
    [...readFileSync(autoboot, 'utf8').matchAll(/boot_partition=(\d)/g)].map(([, partition]) => partition)
  return {
    backend,
    boots,
    judge: (...words: string[]) => run('rauc-judge', words),
    doesWorse: () => writeFileSync(join(folder, 'worse'), ''),
    startsAnew: () => existsSync(join(folder, 'started-anew')),
    runs: (slot: string) => writeFileSync(commandLine, `root=PARTLABEL=root-${slot}\n`),
  }
}

test('a new image is tried once, and the first choice only after it has said that it is good', t => {
  const { backend, boots, runs } = pi(t.testdir())
  t.equal(backend('get-primary'), 'A')
  t.equal(backend('get-current'), 'A')
  backend('set-state', 'B', 'bad')
  t.equal(backend('get-state', 'B'), 'bad', 'as RAUC marks it while it writes')
  backend('set-primary', 'B')
  t.equal(backend('get-primary'), 'B')
  t.same(boots(), ['2', '3'], 'the firmware still starts the old one, and the new one for one try')
  runs('b')
  t.equal(backend('get-current'), 'B')
  t.same(boots(), ['2', '3'])
  backend('set-state', 'B', 'good')
  t.same(boots(), ['3', '2'])
  t.equal(backend('get-primary'), 'B')
  t.end()
})

test('an image that does not come up, or is found bad, leaves the old one the first choice', t => {
  const { backend, boots } = pi(t.testdir())
  backend('set-primary', 'B')
  // The firmware has started A again; RAUC marks it good, as at every start.
  backend('set-state', 'A', 'good')
  t.same(boots(), ['2', '3'])
  backend('set-state', 'B', 'bad')
  t.equal(backend('get-primary'), 'A')
  t.equal(backend('get-state', 'B'), 'bad')
  t.equal(backend('set-state', 'C', 'good'), '')
  t.same(boots(), ['2', '3'], 'a slot that there is not changes nothing')
  t.equal(backend('format'), 'status 1')
  t.end()
})

test('an image is kept because the roles do as well in it as in the one before', t => {
  const { backend, boots, judge, runs, startsAnew } = pi(t.testdir())
  t.equal(judge('after'), '', 'the first choice is not judged')
  judge()
  backend('set-primary', 'B')
  t.equal(judge('after'), '')
  t.same(boots(), ['2', '3'], 'nor is it while it waits for its start')
  runs('b')
  judge('after')
  t.same(boots(), ['3', '2'])
  t.notOk(startsAnew())
  t.end()
})

test('an image in which a role does worse is given up, and the one before starts', t => {
  const { backend, boots, judge, runs, doesWorse, startsAnew } = pi(t.testdir())
  judge()
  backend('set-primary', 'B')
  runs('b')
  doesWorse()
  judge('after')
  t.ok(startsAnew())
  t.same(boots(), ['2', '3'])
  t.equal(backend('get-state', 'B'), 'bad')
  t.equal(backend('get-primary'), 'A')
  t.end()
})
