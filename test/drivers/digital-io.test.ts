import { spawn } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { chipIsThere, chipNamed, sysfsBase } from '../../drivers/digital-io/chip.js'
import { Debounce, longestBouncing, type SettledLevel } from '../../drivers/digital-io/debounce.js'
import { debounced } from '../../drivers/digital-io/debounced.js'
import type { SwitchEdge } from '../../drivers/digital-io/digital-io.js'
import { LibgpiodIo } from '../../drivers/digital-io/libgpiod.js'
import { SimulatedIo } from '../../drivers/digital-io/simulator.js'
import { systemClock } from '../../drivers/system-clock.js'
import { contractElsewhere } from '../contracts/contract.js'
import { digitalIoContract, sceneLines } from '../contracts/digital-io.js'
import { collect, endingContract, states } from '../contracts/driver.js'

test('digital-io contract', async t => {
  for (const title of ['libgpiod', 'onoff']) {
    contractElsewhere(t, 'digital-io', title, 'the kernel’s simulated chip: ./scripts/test-machine')
  }
  digitalIoContract(t, {
    title: 'simulator',
    reopenings: 1000,
    excused: {
      renamed: 'it has no name on a bus',
      wrong: 'a program moves it, and nothing else can come',
    },
    make: async () => {
      const io = new SimulatedIo({ name: 'gate', ...sceneLines, clock: systemClock, capacity: 16 })
      return {
        io,
        plug: async () => {
          for (const line of sceneLines.inputs) io.move(line, 'low')
          io.plug(true)
        },
        unplug: async () => io.plug(false),
        move: async (line, level) => io.move(line, level),
        levelOf: async line => io.levelOf(line),
        end: async () => {},
      }
    },
  })
})

/** The programs of libgpiod as they answer on Debian 13, and a folder of devices. Real ones run in the test machine. */
class Tools {
  readonly folder: string
  readonly usual

  constructor(t: Test, scripts: Readonly<Record<string, string>> = {}) {
    this.folder = `${t.testdir({ dev: { gpiochip0: '' } })}/`
    const usual = { gpiodetect: 'echo "gpiochip0 [gate box] (8 lines)"', gpioget: 'echo "1 0"' }
    for (const [name, script] of Object.entries({ ...usual, ...scripts })) this.write(name, script)
    const paths = { programs: this.folder, devices: join(this.folder, 'dev') }
    this.usual = {
      name: 'gate',
      chip: 'gate box',
      inputs: [5, 6],
      outputs: [],
      clock: systemClock,
      random: () => 0,
      ...paths,
    }
  }

  write(name: string, script: string): void {
    writeFileSync(`${this.folder}${name}`, `#!/bin/sh\n${script}\n`)
    chmodSync(`${this.folder}${name}`, 0o755)
  }

  /** What a script has noted, line by line. */
  notes(): string[] {
    const file = `${this.folder}notes`
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  }
}

test('the programs of libgpiod', async t => {
  const uptime = Number(process.hrtime.bigint()) / 1e9
  const gpiomon = `
echo "Monitoring lines 5 and 6 of gpiochip0..."
echo "2 5 ${(uptime - 1).toFixed(9)}"
echo "nonsense"
echo "1 5 ${(uptime - 0.9).toFixed(9)}"
exec sleep 60`

  t.test('give levels, and edges with the time that the kernel saw', async t => {
    const { usual } = new Tools(t, { gpiomon })
    const before = systemClock.system()
    const items = await collect(new LibgpiodIo(usual), all => all.length === 5)
    t.same(states(items), ['ready'])
    t.match(items.slice(1), [
      { kind: 'level', line: 5, level: 'high' },
      { kind: 'level', line: 6, level: 'low' },
      { kind: 'edge', line: 5, level: 'low', dropped: 0 },
      { kind: 'edge', line: 5, level: 'high', dropped: 0 },
    ])
    const edge = items[3]
    t.ok(edge?.kind === 'edge' && Math.abs(edge.systemTime - before + 1) < 0.5)
  })

  t.test('that are not there, end or are refused leave the lines unheld until they do not', async t => {
    const tools = new Tools(t)
    const none = { ...tools.usual, programs: `${tools.folder}none/` }
    t.same(states(await collect(new LibgpiodIo(none), all => all.length === 1)), ['absent device-absent'])
    tools.write('gpiomon', 'echo "Monitoring line 5"; echo "no such chip" >&2')
    const ending = await collect(new LibgpiodIo(tools.usual), all => states(all).length === 3)
    t.same(states(ending), ['ready', 'absent device-absent', 'ready'])
    tools.write('gpioget', 'echo "gpioget: unable to request lines: Device or resource busy" >&2; exit 1')
    t.same(states(await collect(new LibgpiodIo(tools.usual), all => all.length === 1)), ['faulty device-busy'])
    tools.write('gpioget', 'echo "gpioget: unable to open chip: Permission denied" >&2; exit 1')
    t.same(states(await collect(new LibgpiodIo(tools.usual), all => all.length === 1)), ['faulty device-refused'])
  })

  t.test('hold an output each, another for each way to drive it, and are told to release it at the end', async t => {
    const tools = new Tools(t, {
      gpioset: `echo "$*" >>"$(dirname "$0")/notes"; case $1 in --toggle) exit;; esac; echo "Setting lines"; exec sleep 60`,
    })
    const io = new LibgpiodIo({ ...tools.usual, inputs: [], outputs: [{ line: 3, released: 'high' }] })
    const controller = new AbortController()
    for await (const item of io.readings(controller.signal)) {
      t.match(item, { state: 'ready' })
      io.set(3, { level: 'low', changes: [0.15, 1] })
      io.set(3, { level: 'low', changes: [0.15, 1] })
      while (tools.notes().length < 2) await systemClock.sleep(0.01, controller.signal)
      controller.abort()
    }
    t.same(tools.notes(), [
      '--banner --chip gpiochip0 3=1',
      '--banner --toggle 150ms,1000ms --chip gpiochip0 3=0',
      '--toggle 0 --chip gpiochip0 3=1',
    ])
  })

  t.test('outlive no process that is killed, and release its outputs then', async t => {
    const tools = new Tools(t, {
      gpiomon: 'echo $$ >"$(dirname "$0")/watch"; echo "Monitoring line 5"; exec sleep 60',
      gpioset: `echo "$*" >>"$(dirname "$0")/notes"; case $1 in --toggle) exit;; esac; echo "Setting lines"; exec sleep 60`,
    })
    const { name, chip, programs, devices } = tools.usual
    const options = { name, chip, programs, devices, inputs: [5], outputs: [{ line: 3, released: 'low' }] }
    const program = `
      import { LibgpiodIo } from ${JSON.stringify(new URL('../../drivers/digital-io/libgpiod.js', import.meta.url))}
      import { systemClock } from ${JSON.stringify(new URL('../../drivers/system-clock.js', import.meta.url))}
      const io = new LibgpiodIo({ ...${JSON.stringify(options)}, clock: systemClock })
      for await (const item of io.readings(new AbortController().signal)) {
        if (item.state === 'ready') io.set(3, { level: 'high', changes: [] })
      }`
    const holder = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' })
    t.teardown(() => holder.kill('SIGKILL'))
    const wait = () => systemClock.sleep(0.02, new AbortController().signal)
    while (!tools.notes().includes('--banner --chip gpiochip0 3=1')) await wait()
    const watch = readFileSync(`${tools.folder}watch`, 'utf8').trim()
    t.ok(existsSync(`/proc/${watch}/stat`))
    holder.kill('SIGKILL')
    while (tools.notes().at(-1) !== '--toggle 0 --chip gpiochip0 3=0') await wait()
    while (existsSync(`/proc/${watch}/stat`) && !/\) Z/.test(readFileSync(`/proc/${watch}/stat`, 'utf8'))) await wait()
    t.pass('nobody holds a line')
  })

  t.test('are told the chip by a name that they know, whatever its label', async t => {
    const { folder } = new Tools(t, {
      gpiodetect: 'echo "gpiochip0 [pinctrl-bcm2711] (58 lines)"; echo "gpiochip3 [gate box] (8 lines)"',
    })
    const detect = join(folder, 'gpiodetect')
    const names = ['gate box', 'pinctrl-bcm2711', 'gpiochip7', '/dev/gpiochip2', '4', 'unknown']
    t.same(await Promise.all(names.map(chip => chipNamed(chip, detect))), [
      ...['gpiochip3', 'gpiochip0', 'gpiochip7', '/dev/gpiochip2', '4', 'unknown'],
    ])
    t.equal(await chipNamed('gate box', `${detect}.not`), 'gate box')
    t.same(
      ['gpiochip0', '0', join(folder, 'dev/gpiochip0'), 'gpiochip1', '1'].map(name =>
        chipIsThere(name, join(folder, 'dev')),
      ),
      [true, true, true, false, false],
    )
  })

  const { usual } = new Tools(t, { gpiomon })
  endingContract(t, () => new LibgpiodIo(usual), 5)
})

test('the first line of a chip in sysfs is found by label or device, wherever the kernel puts it', async t => {
  const root = t.testdir()
  for (const [base, label, device] of [
    [571, 'pinctrl-bcm2711', 'gpiochip0'],
    [512, 'raspberrypi-exp-gpio', 'gpiochip1'],
  ] as const) {
    const parent = join(root, `device-${base}`)
    const folder = join(root, `gpiochip${base}`)
    for (const made of [join(parent, device), folder]) mkdirSync(made, { recursive: true })
    symlinkSync(parent, join(folder, 'device'))
    writeFileSync(join(folder, 'label'), `${label}\n`)
    writeFileSync(join(folder, 'base'), `${base}\n`)
  }
  const chips = ['pinctrl-bcm2711', 'gpiochip0', 'raspberrypi-exp-gpio', '1', 'gpiochip512', 'elsewhere']
  t.same(await Promise.all(chips.map(chip => sysfsBase(chip, root))), [571, 571, 512, 512, null, null])
  t.equal(await sysfsBase('pinctrl-bcm2711', join(root, 'none')), null)
})

function edge(at: number, level: SwitchEdge['level'], line = 1): SwitchEdge {
  return { kind: 'edge', line, level, monotonic: at, systemTime: 1e9 + at, dropped: 0 }
}

function contact(): Debounce {
  const debounce = new Debounce(new Map([[1, 0.03]]))
  debounce.take({ kind: 'level', line: 1, level: 'low', monotonic: 0, systemTime: 1e9 })
  return debounce
}

test('debouncing', async t => {
  t.test('tells one change for all bounces, when the contact rests, with the time of the first', async t => {
    const debounce = contact()
    const edges = [
      edge(10, 'high'),
      edge(10.002, 'low'),
      edge(10.003, 'high'),
      edge(10.02, 'low'),
      edge(10.021, 'high'),
    ]
    t.same(
      edges.flatMap(item => debounce.take(item)),
      [],
    )
    t.equal(debounce.pending, 0.03)
    t.same(debounce.due(10.05), [])
    t.match(debounce.due(10.0511), [{ line: 1, level: 'high', monotonic: 10, systemTime: 1e9 + 10, bounces: 4 }])
    t.equal(debounce.pending, null)
  })

  t.test('takes a glitch for nothing, and an edge long after for the end of what was before', async t => {
    const debounce = contact()
    t.same(
      [edge(1, 'high'), edge(1.001, 'low')].flatMap(item => debounce.take(item)),
      [],
    )
    t.same(debounce.due(2), [])
    debounce.take(edge(3, 'high'))
    t.match(debounce.take(edge(4, 'low')), [{ level: 'high', monotonic: 3 }])
    t.match(debounce.due(5), [{ level: 'low', monotonic: 4 }])
  })

  t.test('calls a contact restless that does not come to rest, once, until it does', async t => {
    const debounce = contact()
    const told: SettledLevel[] = []
    for (let index = 0; index < 500; index += 1)
      told.push(...debounce.take(edge(1 + index * 0.01, index % 2 ? 'low' : 'high')))
    t.match(told, [{ level: 'restless', monotonic: 1 }])
    t.ok(longestBouncing < 5)
    t.match(debounce.due(7), [{ level: 'low', monotonic: 1 + 4.99 }], 'told although it is as it was before')
  })

  t.test('takes a level after an absence for a change where it is one', async t => {
    const debounce = contact()
    t.same(debounce.take({ kind: 'level', line: 1, level: 'low', monotonic: 5, systemTime: 0 }), [])
    t.match(debounce.take({ kind: 'level', line: 1, level: 'high', monotonic: 6, systemTime: 0 }), [{ level: 'high' }])
    t.same(debounce.take(edge(7, 'high', 9)), [], 'lines that nobody asked for are left out')
  })

  t.test(
    'tells changes that alternate, are in order and end at the last level, whatever the contact does',
    async () => {
      const gaps = fc.array(fc.double({ min: 1e-6, max: 0.2, noNaN: true }), { maxLength: 60 })
      fc.assert(
        fc.property(gaps, steps => {
          const debounce = contact()
          let at = 10
          let level: SwitchEdge['level'] = 'low'
          const told: SettledLevel[] = []
          for (const step of steps) {
            at += step
            level = level === 'low' ? 'high' : 'low'
            told.push(...debounce.due(at), ...debounce.take(edge(at, level)))
          }
          told.push(...debounce.due(at + 1))
          const levels = told.map(change => change.level)
          const alternate = levels.every((one, index) => one !== (levels[index - 1] ?? 'low'))
          const inOrder = told.every((one, index) => one.monotonic >= (told[index - 1]?.monotonic ?? 0))
          return alternate && inOrder && (levels.at(-1) ?? 'low') === level
        }),
      )
    },
  )

  t.test('of a driver waits by the clock for the contact to rest', async t => {
    const io = new SimulatedIo({ name: 'gate', inputs: [1], outputs: [], clock: systemClock })
    io.plug(true)
    const controller = new AbortController()
    const told: string[] = []
    const quiet = new Map([[1, 0.02]])
    for await (const item of debounced(io, quiet, systemClock, controller.signal)) {
      told.push(item.kind === 'state' ? item.state : item.level)
      // Held up until long after: edges that wait are no rest.
      const late = systemClock.monotonic() - 1
      if (told.length === 2) for (const level of ['high', 'low', 'high'] as const) io.move(1, level, late)
      if (told.length === 3) controller.abort()
    }
    t.same(told, ['ready', 'low', 'high'])
  })
})
