import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'tap'
import { type MachineState, readMachine } from '../../gateway/health/machine.js'
import { MachineWatch } from '../../gateway/health/machine-watch.js'

/** Files as a Raspberry Pi 4 with kernel 6.12 gives them. */
const files: Readonly<Record<string, string>> = {
  'sys/devices/platform/soc/soc:firmware/get_throttled': '50005\n',
  'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
  'sys/class/thermal/thermal_zone0/temp': '61835\n',
  'sys/class/thermal/thermal_zone1/type': 'rp1_adc\n',
  'sys/class/thermal/thermal_zone1/temp': '88000\n',
  'sys/block/mmcblk0/stat':
    '   14250     5307   986962    11530     4096     6002   204800    88123        0    24500   101000\n',
  'sys/block/mmcblk0/device/life_time': '0x03 0x02\n',
  'sys/block/mmcblk0/device/pre_eol_info': '0x01\n',
  'sys/block/mmcblk0boot0/stat': '1 0 8 0 0 0 999 0 0 0 0\n',
  'sys/block/loop0/stat': '1 0 8 0 0 0 999 0 0 0 0\n',
  'sys/fs/cgroup/memory.pressure':
    'some avg10=1.00 avg60=25.50 avg300=0.10 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=12\n',
  meminfo: 'MemTotal:        3884376 kB\nMemFree:          120000 kB\nMemAvailable:    2884376 kB\n',
}

test('A Raspberry Pi tells its supply, heat, memory and flash through files of the kernel', t => {
  const folder = t.testdir()
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  const machine = readMachine({ system: join(folder, 'sys'), memory: join(folder, 'meminfo'), state: folder })
  t.match(machine, {
    temperature: 61.835,
    memoryFree: 2884376 * 1024,
    memoryTotal: 3884376 * 1024,
    memoryPressure: 0.255,
    storageWritten: 204800 * 512,
    flashWear: 0.3,
    flashEnding: false,
    undervoltage: true,
    undervoltageSince: true,
    throttled: true,
  })
  t.ok((machine.storageFree ?? 0) > 0 && (machine.storageTotal ?? 0) >= (machine.storageFree ?? 0))
  writeFileSync(join(folder, 'sys/devices/platform/soc/soc:firmware/get_throttled'), '10000\n')
  writeFileSync(join(folder, 'sys/block/mmcblk0/device/life_time'), '0x0b 0x0b\n')
  writeFileSync(join(folder, 'sys/block/mmcblk0/device/pre_eol_info'), '0x03\n')
  const later = readMachine({ system: join(folder, 'sys'), memory: join(folder, 'meminfo'), state: folder })
  t.match(later, { undervoltage: false, undervoltageSince: true, throttled: false, flashWear: 1, flashEnding: true })
  t.end()
})

test('a Raspberry Pi tells of its supply wherever the firmware of its model stands, or by its sensor alone', t => {
  const told = (files: Record<string, string>) => {
    const folder = t.testdir()
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(join(folder, dirname(file)), { recursive: true })
      writeFileSync(join(folder, file), text)
    }
    const { undervoltage, throttled } = readMachine({ system: folder, memory: join(folder, 'none'), state: folder })
    return { undervoltage, throttled }
  }
  t.same(told({ 'devices/platform/soc@107c000000:firmware/get_throttled': '1' }), {
    undervoltage: true,
    throttled: false,
  })
  t.same(told({ 'devices/platform/soc/soc:firmware/get_throttled': '2' }), { undervoltage: false, throttled: true })
  const sensor = { 'class/hwmon/hwmon1/name': 'cpu_thermal', 'class/hwmon/hwmon2/name': 'rpi_volt' }
  t.same(told({ ...sensor, 'class/hwmon/hwmon2/in0_lcrit_alarm': '1' }), { undervoltage: true, throttled: null })
  t.same(told({ ...sensor, 'class/hwmon/hwmon2/in0_lcrit_alarm': '0' }), { undervoltage: false, throttled: null })
  t.same(told({}), { undervoltage: null, throttled: null })
  t.end()
})

test('What a machine does not have or a sandbox hides is unknown, and nobody is alarmed', t => {
  const nowhere = join(t.testdir(), 'nowhere')
  const machine = readMachine({ system: nowhere, memory: nowhere, state: nowhere })
  const { load, ...rest } = machine
  t.ok(load !== null)
  t.ok(Object.values(rest).every(value => value === null))
  t.same(new MachineWatch().look(machine), [])
  t.end()
})

const well: MachineState = {
  temperature: 50,
  load: 1,
  memoryFree: 500,
  memoryTotal: 1000,
  memoryPressure: 0,
  storageFree: 500,
  storageTotal: 1000,
  storageWritten: 0,
  flashWear: 0.1,
  flashEnding: false,
  undervoltage: false,
  undervoltageSince: false,
  throttled: false,
}

test('Each fault of the machine is told once, and cleared once after it has been over for a minute of looks', t => {
  const cases: readonly [string, Partial<MachineState>, Partial<MachineState>][] = [
    ['undervoltage', { undervoltage: true }, { undervoltage: true }],
    ['throttled', { throttled: true }, { throttled: true }],
    ['hot', { temperature: 80 }, { temperature: 75 }],
    ['storage-full', { storageFree: 40 }, { storageFree: 70 }],
    ['flash-worn', { flashWear: 1 }, { flashEnding: true }],
    ['memory-short', { memoryFree: 40 }, { memoryFree: 80 }],
    ['memory-short', { memoryPressure: 0.3 }, { memoryPressure: 0.1 }],
  ]
  for (const [fault, begins, lasts] of cases) {
    const watch = new MachineWatch()
    const looks = (state: Partial<MachineState>, count: number) =>
      Array.from({ length: count }, () => watch.look({ ...well, ...state })).flat()
    t.same(looks({}, 100), [], `${fault}: well`)
    t.same(looks(begins, 100), [{ fault, state: 'raised' }], `${fault}: raised`)
    t.same(looks(lasts, 100), [], `${fault}: near its limit nothing changes`)
    for (let flap = 0; flap < 10; flap++) {
      t.same(looks({}, 30), [])
      t.same(looks(begins, 1), [], `${fault}: flapping`)
    }
    t.same(looks({}, 200), [{ fault, state: 'cleared' }], `${fault}: cleared`)
  }
  t.end()
})
