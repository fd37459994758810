import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { copyFile, createDisk } from './disks.js'
import { Machine } from './machine.js'
import { powerCuts } from './power-cut.js'

/*
 * Runs the tests of test/machine inside the virtual machine, each a process of its own there, then cuts its power again and
 * again, and prints TAP. Exit status 1 when a test failed, 3 when the machine cannot run here.
 */

/** A machine that has not started up within so many seconds is given up. */
const startingLimit = 420
/** Where acceleration is offered and does not work, as inside some virtual machines, it is given up sooner, seconds. */
const acceleratedLimit = 40
/** The machine's answer after a snapshot is loaded, seconds. */
const resumingLimit = 120
/** No test may take longer, seconds; without acceleration everything is slower. */
const testLimits = { accelerated: 280, translated: 900 }
/** Asks for the power cuts in the place of a test. */
const powerCutsName = 'power-cuts'
/** Where the machine's tests note what the cases of their contracts came to. */
const notes = '/run/outcomes'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    image: { type: 'string' },
    cuts: { type: 'string', default: '20' },
    command: { type: 'string' },
    contracts: { type: 'string' },
    limit: { type: 'string' },
    trials: { type: 'string', default: '20' },
    translated: { type: 'boolean', default: false },
  },
})
const image = values.image
if (image === undefined) throw new TypeError('--image FOLDER is missing; ./scripts/test-machine gives it')

const work = mkdtempSync(join(tmpdir(), 'polewatch-machine-'))
process.once('exit', () => rmSync(work, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const shares = { project: root, modules: realpathSync(join(root, 'node_modules')) }

/** How the machine is run, and the disk with the snapshot made that way. */
interface Way {
  readonly accelerated: boolean
  readonly snapshot: string
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

process.exitCode = await main(image)

async function main(folder: string): Promise<number> {
  const way = await wayToRun(folder)
  if (way === null) return 3
  const { accelerated, snapshot } = way
  const begin = async (): Promise<Machine> => {
    const disk = join(work, 'disk.qcow2')
    await copyFile(snapshot, disk)
    const machine = await Machine.start({ image: folder, disk, work, accelerated, shares, snapshot: 'ready' })
    if (!(await machine.answers(resumingLimit)))
      throw new Error('The virtual machine does not go on from its snapshot.')
    await machine.must(
      [
        `date --set=@${(Date.now() / 1000).toFixed(3)} >/dev/null`,
        'mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro project /polewatch/project',
        'mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro modules /polewatch/node_modules',
      ].join(' && '),
    )
    await machine.plugSerialAdapter()
    return machine
  }
  const began = performance.now()
  const machine = await begin()
  say(`The machine is ready after ${seconds(began)} s${accelerated ? '' : ' (without hardware acceleration)'}.`)
  if (values.command !== undefined) {
    const { status } = await machine.run(values.command, chunk => process.stdout.write(chunk))
    await machine.cut()
    return status === 0 ? 0 : 1
  }
  const limit = Number(values.limit ?? Number.POSITIVE_INFINITY)
  const outOfTime = (): boolean => (performance.now() - began) / 1000 > limit
  const testLimit = accelerated ? testLimits.accelerated : testLimits.translated
  let failures = 0
  let number = 0
  print('TAP version 14')
  for (const test of testsToRun()) {
    number += 1
    if (outOfTime()) {
      print(`ok ${number} - test/machine/${test}.test.ts # SKIP no time is left for it`)
      continue
    }
    const started = performance.now()
    const indent = indented(print)
    const { status, output } = await machine.run(
      `cd /polewatch/project && ${values.contracts === undefined ? '' : `POLEWATCH_CONTRACTS=${notes} `}POLEWATCH_MACHINE=1 POLEWATCH_TRIALS=${Number(values.trials)} TAP_TIMEOUT=${testLimit} TMPDIR=/tmp timeout --signal=KILL ${testLimit + 20} node dist/test/machine/${test}.test.js 2>&1`,
      indent,
    )
    const good = status === 0 && /^ok /m.test(output)
    if (!good) failures += 1
    print(`${good ? 'ok' : 'not ok'} ${number} - test/machine/${test}.test.ts # time=${seconds(started)}s`)
  }
  if (values.contracts !== undefined) appendFileSync(values.contracts, (await machine.run(`cat ${notes}`)).output)
  await machine.cut()
  const cuts = outOfTime() ? 0 : Number(values.cuts)
  if (cuts > 0 && (positionals.length === 0 || positionals.includes(powerCutsName))) {
    number += 1
    const { good, lines } = await powerCuts(begin, work, cuts)
    for (const line of lines) print(`    ${line}`)
    if (!good) failures += 1
    print(`${good ? 'ok' : 'not ok'} ${number} - power cuts`)
  }
  print(`1..${number}`)
  say(`The machine's tests took ${seconds(began)} s.`)
  return failures === 0 ? 0 : 1
}

/** With hardware acceleration where it works, without it elsewhere; null where the machine does not start at all. */
async function wayToRun(folder: string): Promise<Way | null> {
  for (const accelerated of [true, false]) {
    if (accelerated && (values.translated || !mayUse('/dev/kvm'))) continue
    const snapshot = join(folder, `ready-${accelerated ? 'accelerated' : 'translated'}.qcow2`)
    const given = `${snapshot}.given-up`
    if (accelerated && existsSync(given)) continue
    if (existsSync(snapshot)) return { accelerated, snapshot }
    try {
      await makeSnapshot(folder, { accelerated, snapshot })
      return { accelerated, snapshot }
    } catch (error) {
      say(error instanceof Error ? error.message : String(error))
      if (accelerated) writeFileSync(given, '')
    }
  }
  return null
}

/** Starts the machine cold and keeps it as it is then. @throws Error when it has not started within the limit */
async function makeSnapshot(folder: string, { accelerated, snapshot }: Way): Promise<void> {
  const began = performance.now()
  const disk = join(work, 'first.qcow2')
  rmSync(disk, { force: true })
  await createDisk(disk, { backing: join(folder, 'root.img') })
  const machine = await Machine.start({ image: folder, disk, work, accelerated, shares })
  try {
    const limit = accelerated ? acceleratedLimit : startingLimit
    if (!(await machine.answers(limit))) {
      throw new Error(
        `The machine has not started within ${limit} s${accelerated ? ' with hardware acceleration' : ''}.`,
      )
    }
    await machine.must(
      'mkdir -p /polewatch/project /polewatch/node_modules; systemctl is-system-running --wait || true; modprobe -a 9pnet_virtio 9p; sync',
    )
    await machine.human('savevm ready')
  } finally {
    await machine.cut()
  }
  const kept = `${snapshot}.${process.pid}`
  await copyFile(disk, kept)
  renameSync(kept, snapshot)
  say(`The machine has started in ${seconds(began)} s; from now on it goes on from there.`)
}

function testsToRun(): string[] {
  if (positionals.length > 0) {
    return positionals
      .filter(name => name !== powerCutsName)
      .map(name => basename(name).replace(/[.]test[.][jt]s$/, ''))
  }
  return readdirSync(join(root, 'dist/test/machine'))
    .filter(name => name.endsWith('.test.js'))
    .map(name => basename(name, '.test.js'))
    .sort()
}

function mayUse(device: string): boolean {
  try {
    accessSync(device, constants.R_OK | constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** Passes on whole lines, each four blanks further in. */
function indented(tell: (line: string) => void): (chunk: string) => void {
  let pending = ''
  return chunk => {
    const lines = (pending + chunk).split('\n')
    pending = lines.pop() ?? ''
    for (const line of lines) tell(`    ${line}`)
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

function seconds(began: number): string {
  return ((performance.now() - began) / 1000).toFixed(1)
}
