import { test } from 'tap'
import type { DigitalIo } from '../../drivers/digital-io/digital-io.js'
import { LibgpiodIo } from '../../drivers/digital-io/libgpiod.js'
import { SysfsIo } from '../../drivers/digital-io/sysfs.js'
import { systemClock } from '../../drivers/system-clock.js'
import { type DigitalIoScene, digitalIoContract, sceneLines } from '../contracts/digital-io.js'
import { Chip, label } from './gpio-chip.js'
import { must } from './shell.js'

/*
 * The lines of the kernel's simulated GPIO chip, by the tools of libgpiod and by onoff. Its files move inputs and tell what outputs are
 * driven to. Runs in the test machine only.
 */

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

test('digital-io contract', async t => {
  const excused = {
    wrong: 'the kernel gives edges and nothing else; what a program of libgpiod says besides: test/drivers/digital-io',
  }
  const subject = { reopenings: 5, excused }
  digitalIoContract(t, { ...subject, title: 'libgpiod', make: () => scene(new LibgpiodIo(usual)) })
  digitalIoContract(t, { ...subject, title: 'onoff', make: () => scene(new SysfsIo(usual)) })
})
