import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type Test, test } from 'tap'
import type { DigitalIo } from '../../drivers/digital-io/digital-io.js'
import type { Level } from '../../drivers/digital-io/drive.js'
import { LibgpiodIo } from '../../drivers/digital-io/libgpiod.js'
import { SysfsIo } from '../../drivers/digital-io/sysfs.js'
import { systemClock } from '../../drivers/system-clock.js'
import { type DigitalIoScene, digitalIoContract, sceneLines } from '../contracts/digital-io.js'
import { must } from './shell.js'

/*
 * The lines of the kernel's simulated GPIO chip, by the tools of libgpiod and by onoff. Its files move inputs and tell what outputs are
 * driven to. Runs in the test machine only.
 */

const label = 'gate-box'
const settings = '/sys/kernel/config/gpio-sim'

function make(name: string, label: string): string {
  const folder = `${settings}/${name}`
  return `mkdir -p ${folder}/bank0; echo 8 >${folder}/bank0/num_lines; echo ${label} >${folder}/bank0/label; echo 1 >${folder}/live; udevadm settle`
}

/** A chip of eight lines that can be pulled out, and comes back under another number. */
class Chip {
  readonly #name: string
  #lines = ''

  constructor(name: string) {
    this.#name = name
  }

  async plug(): Promise<void> {
    if (this.#lines !== '') await must(make(`${this.#name}-other`, 'other'))
    await must(make(this.#name, label))
    const folder = `${settings}/${this.#name}`
    const [device, chip] = ['dev_name', 'bank0/chip_name'].map(file => readFileSync(`${folder}/${file}`, 'utf8').trim())
    this.#lines = `/sys/devices/platform/${device}/${chip}`
    // The resistors that keep an output released while nobody drives it.
    for (const { line, released } of sceneLines.outputs) this.move(line, released)
  }

  async unplug(): Promise<void> {
    for (const folder of [this.#name, `${this.#name}-other`].map(name => `${settings}/${name}`)) {
      if (existsSync(folder)) await must(`echo 0 >${folder}/live; rmdir ${folder}/bank0 ${folder}`)
    }
  }

  move(line: number, level: Level): void {
    writeFileSync(`${this.#lines}/sim_gpio${line}/pull`, level === 'high' ? 'pull-up' : 'pull-down')
  }

  levelOf(line: number): Level {
    return readFileSync(`${this.#lines}/sim_gpio${line}/value`, 'utf8').trim() === '1' ? 'high' : 'low'
  }
}

let chips = 0

async function scene(io: DigitalIo): Promise<DigitalIoScene> {
  await must('modprobe gpio-sim')
  chips += 1
  const chip = new Chip(`contract-${chips}`)
  return {
    io,
    plug: () => chip.plug(),
    unplug: () => chip.unplug(),
    move: async (line, level) => chip.move(line, level),
    levelOf: async line => chip.levelOf(line),
    end: () => chip.unplug(),
  }
}

const usual = { ...sceneLines, name: 'gate', chip: label, clock: systemClock, random: () => 0, capacity: 16 }
const held = () => readdirSync('/proc/self/fd').length

test('digital-io contract', async t => {
  const subject = { reopenings: 5, held }
  digitalIoContract(t, { ...subject, title: 'libgpiod', make: () => scene(new LibgpiodIo(usual)) })
  digitalIoContract(t, { ...subject, title: 'onoff', make: () => scene(new SysfsIo(usual)) })
})

/** Drives line 3 high in a process of its own and gives it when it does. */
async function holder(t: Test, driver: 'libgpiod' | 'sysfs', chip: Chip): Promise<ChildProcess> {
  const program = `
    import { LibgpiodIo } from '/polewatch/project/dist/drivers/digital-io/libgpiod.js'
    import { SysfsIo } from '/polewatch/project/dist/drivers/digital-io/sysfs.js'
    import { systemClock } from '/polewatch/project/dist/drivers/system-clock.js'
    const Kind = ${driver === 'libgpiod' ? 'LibgpiodIo' : 'SysfsIo'}
    const outputs = [{ line: 3, released: 'low' }]
    const io = new Kind({ name: 'gate', chip: '${label}', inputs: [1], outputs, clock: systemClock })
    for await (const item of io.readings(new AbortController().signal)) {
      if (item.kind === 'state' && item.state === 'ready') io.set(3, { level: 'high', changes: [] })
    }`
  writeFileSync('/tmp/holder.mjs', program)
  const child = spawn(process.execPath, ['/tmp/holder.mjs'], { stdio: ['ignore', 'ignore', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  while (chip.levelOf(3) !== 'high') await pause(20)
  return child
}

test('a process that is killed leaves no output energised and no line held', async t => {
  await must('modprobe gpio-sim')
  for (const driver of ['libgpiod', 'sysfs'] as const) {
    const chip = new Chip(`killed-${driver}`)
    await chip.plug()
    const child = await holder(t, driver, chip)
    // As systemd does it when the main process has died: whoever is left in the service gets SIGTERM, and the guard has to outlive it.
    child.kill('SIGKILL')
    await must('pkill -TERM -f "[t]rap .. TERM"; true')
    while (chip.levelOf(3) !== 'low') await pause(20)
    t.pass(`${driver}: released`)
    while (/gpiomon|gpioset/.test(await must('ps -e -o comm='))) await pause(20)
    t.pass(`${driver}: nobody holds a line`)
    await must(`[ ! -e /sys/class/gpio/gpio515 ] || echo 515 >/sys/class/gpio/unexport`)
    await chip.unplug()
  }
})
