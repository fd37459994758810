import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'

/** What the machine says of itself; null where it does not. */
export interface MachineState {
  /** Of the processor, Celsius. */
  readonly temperature: number | null
  /** Mean number of running processes over one minute. */
  readonly load: number | null
  /** What programs can still have, bytes. Null where a sandbox hides it. */
  readonly memoryFree: number | null
  /** Bytes. */
  readonly memoryTotal: number | null
  /** Share of the last minute in which some program waited for memory, 0 to 1 (Documentation/accounting/psi.rst). */
  readonly memoryPressure: number | null
  /** Of the state folder's disk, bytes. */
  readonly storageFree: number | null
  readonly storageTotal: number | null
  /** To flash since the machine started, bytes. */
  readonly storageWritten: number | null
  /** Share of the flash's life that is used, 0 to 1, to the next tenth above (JESD84-B51, 7.4.44). */
  readonly flashWear: number | null
  /** The flash runs out of spare blocks. */
  readonly flashEnding: boolean | null
  /** Whether the supply sags now, and whether it has since the machine started. */
  readonly undervoltage: boolean | null
  readonly undervoltageSince: boolean | null
  /** Whether the processor is slowed down now. */
  readonly throttled: boolean | null
}

/** Where the kernel tells of the machine; other places in tests. */
export interface MachinePlaces {
  /** sysfs, usually /sys. */
  readonly system: string
  /** Usually /proc/meminfo. */
  readonly memory: string
  /** The folder whose disk counts. */
  readonly state: string
}

/** Bits of the Raspberry Pi's get_throttled: now, and since start. */
const undervoltageNow = 0x1
const cappedOrSlowed = 0x2 | 0x4 | 0x8
const undervoltageBefore = 0x10000
/** Of a block device's stat file, Documentation/block/stat.rst. */
const sector = 512
const sectorsWritten = 6

/** Reads files of the kernel only: no device is opened and no program started. Whatever is missing or unreadable is null. */
export function readMachine({ system, memory, state }: MachinePlaces): MachineState {
  const firmware = throttling(join(system, 'devices/platform'))
  const has = (bits: number): boolean | null => (firmware === null ? null : (firmware & bits) !== 0)
  const blocks = entriesOf(join(system, 'block'))
  const cards = blocks.filter(name => /^mmcblk\d+$/.test(name)).map(name => join(system, 'block', name))
  const disks = blocks.filter(name => /^(?:mmcblk\d+|nvme\d+n\d+|sd[a-z]+|vd[a-z]+)$/.test(name))
  const disk = storage(state)
  return {
    temperature: processorTemperature(join(system, 'class/thermal')),
    load: loadavg()[0] ?? null,
    memoryFree: memoryOf(memory, 'MemAvailable'),
    memoryTotal: memoryOf(memory, 'MemTotal'),
    memoryPressure: pressure(join(system, 'fs/cgroup/memory.pressure')),
    storageFree: disk?.free ?? null,
    storageTotal: disk?.total ?? null,
    storageWritten: sumOf(disks.map(name => written(join(system, 'block', name, 'stat')))),
    flashWear: largestOf(cards.map(card => wear(join(card, 'device/life_time')))),
    flashEnding: ending(cards),
    undervoltage: has(undervoltageNow) ?? voltageAlarm(join(system, 'class/hwmon')),
    undervoltageSince: has(undervoltageNow | undervoltageBefore),
    throttled: has(cappedOrSlowed),
  }
}

/** The Raspberry Pi's get_throttled. Where its firmware stands is another place in each model: soc/soc:firmware on the fourth. */
function throttling(platform: string): number | null {
  const folders = [
    platform,
    ...entriesOf(platform).flatMap(name => (name.startsWith('soc') ? join(platform, name) : [])),
  ]
  const files = folders.flatMap(folder =>
    entriesOf(folder).flatMap(name => (name.endsWith(':firmware') ? join(folder, name, 'get_throttled') : [])),
  )
  return files.map(file => numberOf(file, 16)).find(value => value !== null) ?? null
}

/** What the kernel's driver raspberrypi-hwmon says of the supply, where the firmware's own file is missing. */
function voltageAlarm(hwmon: string): boolean | null {
  const sensor = entriesOf(hwmon).find(name => textOf(join(hwmon, name, 'name'))?.trim() === 'rpi_volt')
  const alarm = sensor === undefined ? null : numberOf(join(hwmon, sensor, 'in0_lcrit_alarm'), 10)
  return alarm === null ? null : alarm !== 0
}

/** The hottest zone of the processor, or of all where none is named so. */
function processorTemperature(folder: string): number | null {
  const zones = entriesOf(folder)
    .filter(name => name.startsWith('thermal_zone'))
    .map(name => ({ type: textOf(join(folder, name, 'type')) ?? '', at: numberOf(join(folder, name, 'temp'), 10) }))
  const processor = zones.filter(({ type }) => /cpu|soc|pkg/i.test(type))
  const hottest = largestOf((processor.length > 0 ? processor : zones).map(({ at }) => at))
  return hottest === null ? null : hottest / 1000
}

function memoryOf(file: string, name: string): number | null {
  const [, kibibytes] = new RegExp(`^${name}: +(\\d+) kB$`, 'm').exec(textOf(file) ?? '') ?? []
  return kibibytes === undefined ? null : Number(kibibytes) * 1024
}

function pressure(file: string): number | null {
  const [, percent] = /^some .*\bavg60=([\d.]+)/m.exec(textOf(file) ?? '') ?? []
  return percent === undefined ? null : Number(percent) / 100
}

function written(file: string): number | null {
  const sectors = Number(textOf(file)?.split(/\s+/)[sectorsWritten] ?? Number.NaN)
  return Number.isFinite(sectors) ? sectors * sector : null
}

/** Two estimates, each in tenths of a life, `0x01 0x02`; 0 says nothing and 11 that the life is over. */
function wear(file: string): number | null {
  const tenths = (textOf(file)?.split(/\s+/) ?? []).map(Number).filter(tenth => tenth >= 1 && tenth <= 11)
  const most = largestOf(tenths)
  return most === null ? null : Math.min(1, most / 10)
}

/** pre_eol_info: 1 normal, 2 most spare blocks are used, 3 nearly all; 0 says nothing. */
function ending(cards: readonly string[]): boolean | null {
  const worst = largestOf(cards.map(card => numberOf(join(card, 'device/pre_eol_info'), 16)))
  return worst === null || worst === 0 ? null : worst > 1
}

function storage(folder: string): { free: number; total: number } | null {
  try {
    const { bavail, blocks, bsize } = statfsSync(folder)
    return { free: bavail * bsize, total: blocks * bsize }
  } catch {
    return null
  }
}

function textOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

function numberOf(file: string, base: 10 | 16): number | null {
  const number = Number.parseInt(textOf(file) ?? '', base)
  return Number.isNaN(number) ? null : number
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

function known(values: readonly (number | null)[]): number[] {
  return values.filter(value => value !== null)
}

function largestOf(values: readonly (number | null)[]): number | null {
  const numbers = known(values)
  return numbers.length === 0 ? null : Math.max(...numbers)
}

function sumOf(values: readonly (number | null)[]): number | null {
  const numbers = known(values)
  return numbers.length === 0 ? null : numbers.reduce((sum, value) => sum + value, 0)
}
