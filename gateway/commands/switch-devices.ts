import type { DigitalIo } from '../../drivers/digital-io/digital-io.js'
import { opposite } from '../../drivers/digital-io/drive.js'
import { LibgpiodIo } from '../../drivers/digital-io/libgpiod.js'
import { SimulatedIo, type SimulatedIoOptions } from '../../drivers/digital-io/simulator.js'
import { kernelClock } from '../../drivers/system-clock.js'
import type { DigitalIoSettings } from '../config/schema.js'

/** Simulated switches go on for a day; whoever tries an installation for longer starts it again. */
const simulatedSeconds = 86_400

/** The driver that the configuration asks for. */
export async function digitalIo(settings: DigitalIoSettings): Promise<DigitalIo> {
  const { name } = settings
  const inputs = settings.inputs.map(({ line }) => line)
  const outputs = settings.outputs.map(({ line, active }) => ({ line, released: opposite(active) }))
  const common = { name, inputs, outputs, clock: kernelClock }
  if (settings.driver === 'simulator') return simulatedSwitches(settings, common)
  if (settings.driver === 'libgpiod') return new LibgpiodIo({ ...common, chip: settings.chip, pull: settings.pull })
  // Its native part is loaded only where it is used.
  const { SysfsIo } = await import('../../drivers/digital-io/sysfs.js')
  return new SysfsIo({ ...common, chip: settings.chip })
}

function simulatedSwitches(
  { inputs, interval }: Extract<DigitalIoSettings, { driver: 'simulator' }>,
  common: Omit<SimulatedIoOptions, 'moves'>,
): DigitalIo {
  const moves = Array.from(
    { length: Math.ceil(simulatedSeconds / interval) },
    (_, index) => (index + 1) * interval,
  ).flatMap(at => [
    ...inputs.map(({ line, active }) => ({ at, line, level: active })),
    ...inputs.map(({ line, active }) => ({ at: at + interval / 10, line, level: opposite(active) })),
  ])
  const io = new SimulatedIo({ ...common, moves })
  for (const { line, active } of inputs) io.move(line, opposite(active))
  io.plug(true)
  return io
}
