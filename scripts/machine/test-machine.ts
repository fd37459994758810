import {
  accessSync,
  appendFileSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
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
import { Machine, type Running } from './machine.js'
import { powerCuts } from './power-cut.js'

/*
 * Runs the tests of test/machine inside the virtual machine, each a process of its own there, cuts its power again and again, and prints
 * TAP. Exit status 1 when a test failed or the machine does not start.
 */

type Limits = Readonly<Record<Running, number>>

/**
 * A machine that has not started up within so many seconds is given up. Where acceleration is offered and does not work, as inside some
 * virtual machines, it is given up sooner.
 */
const startingLimits: Limits = { accelerated: 40, translated: 240, counted: 600 }
/** The machine's answer after a snapshot is loaded, seconds. */
const resumingLimit = 120
/** No test may take longer, seconds by the machine's clock; without acceleration everything is slower. */
const testLimits: Limits = { accelerated: 280, translated: 600, counted: 600 }
/** A machine that has not ended a test by itself after so many seconds by this computer's clock has broken down. */
const breakdowns: Limits = { accelerated: 340, translated: 660, counted: 5400 }
/** Stands for the power cuts, as if they were a test. */
const powerCutsName = 'power-cuts'
/** What is measured there to less than a millisecond, for which the machine's time must not be that of a computer that has more to do. */
const exactTests = new Set(['impulse-time'])
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
    counted: { type: 'boolean', default: false },
    limit: { type: 'string' },
    machines: { type: 'string', default: '1' },
    trials: { type: 'string', default: '20' },
    translated: { type: 'boolean', default: false },
  },
})
const image = values.image
if (image === undefined) throw new TypeError('--image FOLDER is missing; ./scripts/test-machine gives it')

const work = mkdtempSync(join(tmpdir(), 'polewatch-machine-'))
process.once('exit', () => rmSync(work, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

/** So long after the beginning no test begins any more, seconds. */
const limit = Number(values.limit ?? Number.POSITIVE_INFINITY)
const shares = { project: root, modules: realpathSync(join(root, 'node_modules')) }

/** How the machine is run, and the disk with the snapshot made that way. */
interface Way {
  readonly running: Running
  readonly snapshot: string
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

process.exitCode = await main(image)

async function main(folder: string): Promise<number> {
  const due: { readonly test: string; readonly way: Way }[] = []
  for (const test of values.command === undefined ? testsToRun() : ['']) {
    const way = await wayToRun(folder, test)
    if (way === null) {
      print('not ok 1 - the test machine starts\n1..1')
      return 1
    }
    due.push({ test, way })
  }
  const began = performance.now()
  const [first] = due
  if (values.command !== undefined && first !== undefined) {
    const machine = await begin(folder, first.way, work)
    const { status } = await machine.run(values.command, chunk => process.stdout.write(chunk))
    await machine.cut()
    return status === 0 ? 0 : 1
  }
  const accelerated = due.every(({ way }) => way.running === 'accelerated')
  const total = due.length
  let failures = 0
  let number = 0
  const outOfTime = (): boolean => (performance.now() - began) / 1000 > limit
  /** One after the other in a machine of its own, until none is due any more. */
  const runTests = async (index: number): Promise<void> => {
    const own = join(work, String(index))
    const [cutting, exact] = [join(own, powerCutsName), join(own, 'exact')]
    for (const each of [cutting, exact]) mkdirSync(each, { recursive: true })
    let machine: Machine | null = null
    for (let next = due.shift(); next !== undefined; next = due.shift()) {
      const { test, way } = next
      const started = performance.now()
      // Of several machines nothing is told before a test is over, so that it stands together.
      const lines: string[] = []
      const tell = Number(values.machines) > 1 ? (line: string) => void lines.push(line) : print
      let good = false
      let left = ''
      if (outOfTime()) left = ' # SKIP no time is left for it'
      else if (test === powerCutsName) good = await cutPower(() => begin(folder, way, cutting), cutting, tell)
      else {
        const [apart, at] = exactTests.has(test) ? [true, exact] : [false, own]
        const running: Machine = apart ? await begin(folder, way, at) : (machine ?? (await begin(folder, way, at)))
        const giveUp = setTimeout(() => void running.cut(), 1000 * breakdowns[way.running])
        const { status, output } = await running.run(inMachine(test, testLimits[way.running]), indented(tell))
        clearTimeout(giveUp)
        good = status === 0 && /^ok /m.test(output)
        if (status === -1) tell(`    not ok - the machine has ended. ${consoleOf(at)}`)
        if (apart) await running.cut()
        else machine = status === -1 ? null : running
      }
      if (!good && left === '') failures += 1
      number += 1
      const file = test === powerCutsName ? test : `test/machine/${test}.test.ts`
      const verdict = good || left !== '' ? 'ok' : 'not ok'
      for (const line of lines) print(line)
      print(`${verdict} ${number} - ${file}${left === '' ? ` # time=${seconds(started)}s` : left}`)
    }
    if (machine === null) return
    if (values.contracts !== undefined) appendFileSync(values.contracts, (await machine.run(`cat ${notes}`)).output)
    await machine.cut()
  }
  print('TAP version 14')
  await Promise.all(Array.from({ length: Math.min(Number(values.machines), total) }, (_, index) => runTests(index)))
  print(`1..${total}`)
  say(`The machine's tests took ${seconds(began)} s${accelerated ? '' : ' (without hardware acceleration)'}.`)
  return failures === 0 ? 0 : 1
}

/** A machine that goes on from the snapshot. @param own its folder for disk and sockets */
async function begin(folder: string, { running, snapshot }: Way, own: string): Promise<Machine> {
  const disk = join(own, 'disk.qcow2')
  await copyFile(snapshot, disk)
  const machine = await Machine.start({ image: folder, disk, work: own, running, shares, snapshot: 'ready' })
  if (!(await machine.answers(resumingLimit)))
    throw new Error(`The virtual machine does not go on from its snapshot. ${consoleOf(own)}`)
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

/** The command that runs a test. @param atMost seconds */
function inMachine(test: string, atMost: number): string {
  const told = values.contracts === undefined ? '' : `POLEWATCH_CONTRACTS=${notes} `
  return `cd /polewatch/project && ${told}POLEWATCH_MACHINE=1 POLEWATCH_TRIALS=${Number(values.trials)} TAP_TIMEOUT=${atMost} TMPDIR=/tmp timeout --signal=KILL ${atMost + 20} node dist/test/machine/${test}.test.js 2>&1`
}

async function cutPower(
  beginOne: () => Promise<Machine>,
  folder: string,
  tell: (line: string) => void,
): Promise<boolean> {
  const { good, lines } = await powerCuts(beginOne, folder, Number(values.cuts))
  for (const line of lines) tell(`    ${line}`)
  return good
}

/** Counted what is exact; all else with hardware acceleration where it works, without it elsewhere. Null where the machine does not start. */
async function wayToRun(folder: string, test: string): Promise<Way | null> {
  const counted = values.counted || exactTests.has(test)
  const tried: readonly Running[] = counted ? ['counted'] : ['accelerated', 'translated']
  for (const running of tried) {
    const accelerated = running === 'accelerated'
    if (accelerated && (values.translated || !mayUse('/dev/kvm'))) continue
    const snapshot = join(folder, `ready-${running}.qcow2`)
    const given = `${snapshot}.given-up`
    if (accelerated && existsSync(given)) continue
    if (existsSync(snapshot)) return { running, snapshot }
    try {
      await makeSnapshot(folder, { running, snapshot })
      return { running, snapshot }
    } catch (error) {
      say(error instanceof Error ? error.message : String(error))
      if (accelerated) writeFileSync(given, '')
    }
  }
  return null
}

/** Starts the machine cold and keeps it as it is then. @throws Error when it has not started within the limit */
async function makeSnapshot(folder: string, { running, snapshot }: Way): Promise<void> {
  const began = performance.now()
  const disk = join(work, 'first.qcow2')
  rmSync(disk, { force: true })
  await createDisk(disk, { backing: join(folder, 'root.img') })
  const machine = await Machine.start({ image: folder, disk, work, running, shares })
  try {
    const limit = startingLimits[running]
    if (!(await machine.answers(limit))) {
      throw new Error(`The machine has not started within ${limit} s (${running}). ${consoleOf(work)}`)
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

/** In the order in which they begin; the power cuts come last. */
function testsToRun(): string[] {
  const named = positionals.map(name => basename(name).replace(/[.]test[.][jt]s$/, ''))
  const all = readdirSync(join(root, 'dist/test/machine'))
    .filter(name => name.endsWith('.test.js'))
    .map(name => basename(name, '.test.js'))
    .sort()
  const wanted = named.length > 0 ? named : [...all, powerCutsName]
  return wanted.filter(name => name !== powerCutsName || Number(values.cuts) > 0)
}

/** The end of what its kernel said. */
function consoleOf(folder: string): string {
  const file = join(folder, 'console.log')
  return existsSync(file)
    ? `Its console ends so:\n${readFileSync(file, 'utf8').slice(-2000)}`
    : 'Its console said nothing.'
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
