import { readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { devicesFolder, loadSensorBoardMap } from '../../drivers/device-files.js'
import { calibrated, Plausibility } from '../../drivers/sensor-board/calibration.js'
import { FirmataBoard } from '../../drivers/sensor-board/firmata.js'
import type { SensorBoardMap } from '../../drivers/sensor-board/pin-map.js'
import type { Quantity } from '../../drivers/sensor-board/sensor-board.js'
import { SimulatedBoard } from '../../drivers/sensor-board/simulator.js'
import { systemClock } from '../../drivers/system-clock.js'
import { collect, states } from '../contracts/driver.js'
import { sensorBoardContract } from '../contracts/sensor-board.js'
import { FirmataEmulator } from './firmata-board.js'

/** The emulator may get a small part of a busy machine, so nothing is called late. */
const patient = { name: 'mast', clock: systemClock, random: () => 0, greetingSeconds: 120, silentSeconds: 120 }

async function swift(name: string): Promise<SensorBoardMap> {
  const map = await loadSensorBoardMap(name)
  return { ...map, sensors: map.sensors.map(sensor => ({ ...sensor, interval: 0.1 })) }
}

/** Volts or levels of the wiring in `uno-weather`. */
function wired(quantity: Quantity, value: number) {
  switch (quantity) {
    case 'temperature':
      return { volts: { 0: 0.5 + value / 100 } }
    case 'wind-speed':
      return { volts: { 1: 0.4 + (value * 1.6) / 32.4 } }
    case 'battery':
      return { volts: { 2: value / 4 } }
    case 'tamper':
      return { levels: { 2: value === 1 } }
    default:
      return { levels: { 3: value === 1 } }
  }
}

const rest = { volts: { 0: 0.7, 1: 0.4, 2: 3, 3: 0.5 }, levels: { 2: false, 3: false } }

test('sensor boards', async t => {
  sensorBoardContract(t, {
    title: 'simulator',
    reopenings: 1000,
    excused: { renamed: 'it has no name on a bus', silent: 'a program moves it, and it never listens' },
    async make({ capacity }) {
      const board = new SimulatedBoard({ name: 'mast', clock: systemClock, capacity })
      return {
        board,
        plug: async () => board.plug(true),
        unplug: async () => board.plug(false),
        meet: (sensor, quantity, value) => board.measure(sensor, quantity, value),
        cutThermometer: () => board.measure('air', 'temperature', null, 'disconnected'),
        noise: null,
        rename: null,
        halt: null,
        end: async () => {},
      }
    },
  })

  sensorBoardContract(t, {
    title: 'StandardFirmata on an emulated Uno, on a pseudo-terminal',
    reopenings: 25,
    excused: {},
    async make(options) {
      const path = join(t.testdir({}), 'board')
      const map = await swift('uno-weather')
      let emulator: FirmataEmulator | null = null
      return {
        board: new FirmataBoard({ ...patient, ...options, path, map }),
        async plug() {
          emulator = await FirmataEmulator.plug(path)
          emulator.tell(rest)
        },
        async unplug() {
          await emulator?.unplug()
          emulator = null
        },
        meet: (_, quantity, value) => emulator?.tell(wired(quantity, value)),
        cutThermometer: () => emulator?.tell({ volts: { 0: 0 } }),
        // A torn sysex, half an answer of the I2C bus, and bytes of no meaning.
        noise: () => emulator?.tell({ noise: 'f06a7f7ff0770102f7ff00fff0' }),
        async rename() {
          const second = await FirmataEmulator.plug(`${path}.second`)
          second.tell(rest)
          await emulator?.unplug()
          renameSync(`${path}.second`, path)
          emulator = second
        },
        halt: () => emulator?.tell({ halt: true }),
        end: async () => emulator?.unplug(),
      }
    },
  })

  t.test('a BMP280 by I2C and cups that pulse are read through the firmware', async t => {
    const path = join(t.testdir({}), 'board')
    const emulator = await FirmataEmulator.plug(path)
    emulator.tell({ ...rest, pulses: 6 })
    const wanted = new Map([
      // The worked example of the data sheet.
      ['air temperature', [25.08, 0.02]],
      ['air pressure', [1006.5, 0.2]],
      ['cups wind-speed', [4, 3]],
    ])
    await collect(new FirmataBoard({ ...patient, path, map: await swift('uno-bmp280') }), items => {
      const item = items.at(-1)
      if (item?.kind === 'measurement' && item.value !== null) {
        const key = `${item.sensor} ${item.quantity}`
        const [value = Number.NaN, error = 0] = wanted.get(key) ?? []
        if (Math.abs(item.value - value) <= error) wanted.delete(key)
      }
      return wanted.size === 0
    })
    t.equal(wanted.size, 0)
    await emulator.unplug()
  })

  t.test(
    'a board that never answers is silent, and one that speaks another language has the wrong firmware',
    async t => {
      const map = await swift('uno-weather')
      for (const [firmware, fault] of [
        ['firmata', 'silent'],
        ['chatter', 'wrong-firmware'],
      ] as const) {
        const path = join(t.testdir({}), 'board')
        const emulator = await FirmataEmulator.plug(path, firmware)
        emulator.tell({ halt: firmware === 'firmata' })
        const board = new FirmataBoard({ ...patient, path, map, greetingSeconds: firmware === 'firmata' ? 1 : 20 })
        t.same(states(await collect(board, all => all.length === 1)), [`faulty ${fault}`])
        await emulator.unplug()
      }
    },
  )

  t.test('a board that stops is silent; its last values are not told again', async t => {
    const path = join(t.testdir({}), 'board')
    const emulator = await FirmataEmulator.plug(path)
    emulator.tell(rest)
    const board = new FirmataBoard({ ...patient, path, map: await swift('uno-weather'), silentSeconds: 5 })
    const items = await collect(board, all => {
      if (all.filter(({ kind }) => kind === 'measurement').length === 6) emulator.tell({ halt: true })
      return states(all).includes('faulty silent')
    })
    t.same(states(items), ['ready', 'faulty silent'])
    await emulator.unplug()
  })
})

test('pin maps', async t => {
  const names = readdirSync(join(devicesFolder, 'sensor-boards')).map(file => file.replace(/\.json$/, ''))
  t.test('each that comes with the program is as it should be and bears its own name', async t => {
    t.ok(names.length > 0)
    for (const name of names) t.equal((await loadSensorBoardMap(name)).name, name)
  })

  t.test('a mistake is named with its file', async t => {
    const file = join(t.testdir({ 'odd.json': '{ "name": "odd" }' }), 'odd.json')
    await t.rejects(loadSensorBoardMap(file), { name: 'DeviceFileError', path: file, message: /sensors/ })
  })
})

test('calibration', async t => {
  t.test('a thermistor follows its B', async t => {
    const thermistor = { kind: 'thermistor', resistance: 10_000, beta: 3950, divider: 10_000 } as const
    t.ok(Math.abs(calibrated(thermistor, 2.5, 5) - 25) < 1e-9)
    // 32.65 kΩ at 0 °C by the table of a 10 kΩ, B 3950 part, within its tolerance.
    t.ok(Math.abs(calibrated(thermistor, (5 * 32.65) / 42.65, 5)) < 1.5)
  })

  t.test('a table is straight between its points and beyond them', async t => {
    const table = {
      kind: 'table',
      points: [
        [0, 0],
        [0.4, 0],
        [2, 32],
      ] as [number, number][],
    } as const
    t.same(
      [0.2, 0.4, 1.2, 2.2].map(volts => Math.round(calibrated(table, volts, 5) * 1000) / 1000),
      [0, 0, 16, 36],
    )
  })

  t.test('what no weather reaches and what never moves is a fault, and over when it is better', async t => {
    const plausibility = new Plausibility({ quantity: 'temperature', stuckSeconds: 60 })
    t.equal(plausibility.judge(Number.NaN, 0), 'out-of-range')
    t.equal(plausibility.judge(200, 0), 'out-of-range')
    t.equal(plausibility.judge(20, 0), null)
    t.equal(plausibility.judge(20, 60), null)
    t.equal(plausibility.judge(20, 61), 'stuck')
    t.equal(plausibility.judge(20.1, 62), null)
  })
})
