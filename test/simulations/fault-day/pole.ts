import type { Camera } from '../../../drivers/camera/camera.js'
import { SimulatedCamera, type SimulatedCameraFault } from '../../../drivers/camera/simulator.js'
import { loadArrayGeometry, loadPlateReaderLayout } from '../../../drivers/device-files.js'
import { SimulatedIo } from '../../../drivers/digital-io/simulator.js'
import type { GnssReceiver } from '../../../drivers/gnss/gnss.js'
import { LineReceiver } from '../../../drivers/gnss/line-receiver.js'
import { NmeaParser } from '../../../drivers/gnss/nmea-parser.js'
import { AlsaArray } from '../../../drivers/microphone-array/alsa.js'
import type { MicrophoneArray } from '../../../drivers/microphone-array/microphone-array.js'
import { LinePlateReader } from '../../../drivers/plate-reader/line-reader.js'
import type { PlateReader } from '../../../drivers/plate-reader/plate-reader.js'
import { SimulatedBoard } from '../../../drivers/sensor-board/simulator.js'
import type { Edit } from '../../../gateway/config/edit.js'
import type { MicrophoneArraySettings, PlateReaderSettings } from '../../../gateway/config/schema.js'
import type { Random } from '../../../scripts/simulator/random.js'
import { type Episode, type ExpectedFault, type Trouble, Troubles } from './episodes.js'
import type { EventTime } from './event-time.js'
import { positionOf, sentence } from './nmea.js'
import { otherChannel, TroubledCard, troubledChannel } from './sound-card.js'
import { TroubledLine } from './troubled-line.js'

/** Hertz; where high sounds tell of a muffled microphone it has to be more. */
const sampleRates = { roof: 12_000, mast: 8000 } as const
const [door, mains, loop, lamp] = [1, 2, 3, 4]
/** chrony measures its clock so often, seconds. */
const measureEvery = 16
/** Faster than a contact may come to rest, seconds. */
const rattle = 0.02

/** The devices of the pole, one of each kind, two arrays. */
export const deviceSettings: readonly Edit[] = [
  {
    path: ['microphoneArrays'],
    value: [
      {
        name: 'roof',
        driver: 'alsa',
        device: 'hw:CARD=Roof,DEV=0',
        geometry: 'respeaker-6',
        sampleRate: sampleRates.roof,
      },
      { name: 'mast', driver: 'alsa', device: 'hw:CARD=Mast,DEV=0', geometry: 'mono', sampleRate: sampleRates.mast },
    ],
  },
  {
    path: ['plateReaders'],
    value: [{ name: 'lane-1', driver: 'serial', port: '/dev/lane-1', layout: 'auto-intellect' }],
  },
  {
    path: ['cameras'],
    value: [{ name: 'street', driver: 'simulator', plates: ['ABC1234'], interval: 3600 }],
  },
  { path: ['gnss'], value: [{ driver: 'nmea', port: '/dev/receiver' }] },
  {
    path: ['sensorBoards'],
    value: [{ name: 'weather', driver: 'firmata', port: '/dev/weather', pinMap: 'uno-weather', batteryLow: 11 }],
  },
  {
    path: ['digitalIo'],
    value: [
      {
        name: 'terminals',
        driver: 'libgpiod',
        chip: 'gate box',
        inputs: [
          { name: 'door', use: 'enclosure', line: door },
          { name: 'mains', use: 'power-fail', line: mains },
          { name: 'loop', use: 'reader-trigger', line: loop, lane: '2', active: 'high' },
        ],
        outputs: [{ name: 'lamp', use: 'status-led', line: lamp }],
      },
    ],
  },
]

const trouble = (device: string, name: string, ...expected: ExpectedFault[]): Trouble => ({ device, name, expected })
const channelFault = (device: string, name: string): Trouble => {
  const channel = device === 'roof' ? troubledChannel + 1 : 1
  return trouble(device, name, { part: `${device} microphone ${channel}`, fault: `microphone-${name}` })
}
const held = { part: 'clock', fault: 'clock-holdover' }
const stepped = { part: 'clock', fault: 'clock-stepped' }
const cardTroubles = (device: string): Trouble[] => [
  trouble(
    device,
    'unplugged',
    { part: device, fault: 'stream-ended', optional: true },
    { part: device, fault: 'device-absent' },
  ),
  trouble(device, 'mute', { part: device, fault: 'silent-stream' }),
  trouble(device, 'loud'),
  ...['dead', 'stuck', 'clipped'].map(name => channelFault(device, name)),
]

/** All that goes wrong, with what the gateway has to say of it. */
export const troubles: readonly Trouble[] = [
  ...cardTroubles('roof'),
  channelFault('roof', 'reversed'),
  channelFault('roof', 'buzzing'),
  channelFault('roof', 'muffled'),
  trouble(
    'roof',
    'swapped',
    ...[troubledChannel, otherChannel].map(channel => ({
      part: `roof microphone ${channel + 1}`,
      fault: 'microphone-swapped',
    })),
  ),
  ...cardTroubles('mast'),
  trouble('lane-1', 'unplugged', { part: 'lane-1', fault: 'device-absent' }),
  trouble(
    'lane-1',
    'busy',
    { part: 'lane-1', fault: 'device-absent', optional: true },
    { part: 'lane-1', fault: 'device-busy' },
  ),
  trouble('lane-1', 'noise', { part: 'lane-1', fault: 'line-noise' }),
  trouble('lane-1', 'silence'),
  trouble('lane-1', 'flood'),
  // chrony follows the receiver, and says for long that all is well.
  trouble('receiver', 'unplugged', { part: 'gnss', fault: 'device-absent' }, held),
  trouble('receiver', 'silence', { part: 'gnss', fault: 'silent' }, held),
  trouble('receiver', 'no sky', { part: 'gnss', fault: 'no-fix' }, held),
  trouble('receiver', 'antenna', { part: 'gnss', fault: 'antenna-open' }, held),
  trouble('receiver', 'chrony gone', { part: 'clock', fault: 'clock-unknown' }),
  trouble('receiver', 'leap second', { ...stepped, moment: 'beginning' }),
  // Two of the same device never come at once, and without satellites nobody sees that the clock was set. While chrony's last
  // measurement lies in the future of a clock that was set back nothing is known of it, which is told when it lasts.
  trouble(
    'receiver',
    'clock forward',
    { part: 'gnss time', fault: 'clock-not-gnss' },
    { ...stepped, moment: 'beginning' },
    { ...stepped, moment: 'end', optional: true },
  ),
  trouble(
    'receiver',
    'clock back',
    { part: 'gnss time', fault: 'clock-not-gnss' },
    { ...stepped, moment: 'beginning', optional: true },
    { ...stepped, moment: 'end' },
  ),
  trouble('weather', 'unplugged', { part: 'weather', fault: 'device-absent' }),
  trouble('weather', 'wire', { part: 'weather air temperature', fault: 'sensor-disconnected' }),
  trouble('weather', 'stuck', { part: 'weather cups wind-speed', fault: 'sensor-stuck' }),
  trouble('weather', 'battery', { part: 'weather supply level', fault: 'battery-low' }),
  trouble('terminals', 'unplugged', { part: 'terminals', fault: 'device-absent' }),
  trouble('terminals', 'power', { part: 'mains', fault: 'power-failed' }),
  trouble('terminals', 'rattling', { part: 'loop', fault: 'switch-restless' }),
  trouble('street', 'absent', { part: 'street', fault: 'device-absent' }),
  trouble('street', 'black', { part: 'street picture', fault: 'camera-blind' }),
  trouble('street', 'covered', { part: 'street picture', fault: 'camera-covered' }),
  trouble('street', 'turned', { part: 'street picture', fault: 'camera-turned' }),
  trouble('street', 'frozen', { part: 'street picture', fault: 'camera-frozen' }),
]

/** The devices at work: the drivers of the gateway where there is a line or a card to drive, the simulators elsewhere. */
export class TroubledPole {
  readonly time: EventTime
  readonly switches: SimulatedIo
  readonly board: SimulatedBoard
  readonly #episodes: readonly Episode[]
  readonly #random: Random
  readonly #seconds: number
  readonly #readerLine: TroubledLine
  readonly #receiverLine: TroubledLine
  readonly #chronyTroubles: Troubles
  #measured = { at: Number.NEGATIVE_INFINITY, utc: 0, correction: 0 }

  constructor(time: EventTime, episodes: readonly Episode[], random: Random, seconds: number) {
    this.time = time
    this.#episodes = episodes
    this.#random = random
    this.#seconds = seconds
    const lines = { inputs: [door, mains, loop], outputs: [{ line: lamp, released: 'low' as const }] }
    this.switches = new SimulatedIo({ name: 'terminals', ...lines, clock: time })
    this.switches.plug(true)
    this.board = new SimulatedBoard({ name: 'weather', clock: time })
    this.board.plug(true)
    this.#readerLine = new TroubledLine(time, this.#troublesOf('lane-1'))
    this.#receiverLine = new TroubledLine(time, this.#troublesOf('receiver'))
    this.#chronyTroubles = this.#troublesOf('receiver')
    for (const { device, name, from, until, chance } of episodes) {
      if (device === 'receiver' && name === 'leap second') time.at(from, () => time.leap())
      if (device !== 'receiver' || !name.startsWith('clock')) continue
      const seconds = (name === 'clock back' ? -1 : 1) * (3 + 600 * chance)
      time.at(from, () => time.stepSystem(seconds))
      time.at(until, () => time.stepSystem(-seconds))
    }
  }

  async array({ name, geometry }: MicrophoneArraySettings): Promise<MicrophoneArray> {
    const sampleRate = name === 'roof' ? sampleRates.roof : sampleRates.mast
    const random = this.#random.fork(name)
    const { microphones } = await loadArrayGeometry(geometry)
    const troubles = this.#troublesOf(name)
    const card = new TroubledCard({ clock: this.time, troubles, microphones, sampleRate, random })
    const channels = microphones.length
    const common = { name, channels, sampleRate, clock: this.time, random: () => random.uniform() }
    return new AlsaArray({ ...common, device: `hw:CARD=${name},DEV=0`, openCapture: card.open })
  }

  async reader({ name }: PlateReaderSettings): Promise<PlateReader> {
    const random = this.#random.fork(name)
    const layout = await loadPlateReaderLayout('auto-intellect')
    const common = { name, title: 'The serial line', clock: this.time, random: () => random.uniform() }
    return new LinePlateReader({ ...common, layout, open: this.#readerLine.open })
  }

  receiver(name: string): GnssReceiver {
    const random = this.#random.fork(name)
    const common = { name, title: 'The receiver', clock: this.time, random: () => random.uniform() }
    return new LineReceiver({ ...common, parser: new NmeaParser(), open: this.#receiverLine.open })
  }

  /** What chrony says of its tracking, as `chronyc -c -n` does: it measures while the receiver is well. */
  readonly askChrony = async (): Promise<string> => {
    const now = this.time.monotonic()
    const trouble = this.#chronyTroubles.at(now)?.name ?? null
    if (trouble === 'chrony gone') return ''
    const follows = trouble === null || trouble === 'leap second' || trouble.startsWith('clock')
    if (follows && now - this.#measured.at >= measureEvery) {
      const utc = this.time.trueTime(now)
      this.#measured = { at: now, utc, correction: utc - this.time.system() }
    }
    const { utc, correction } = this.#measured
    return `50505300,PPS,1,${utc},${correction},0,0,1.5,0.01,0.5,0.0004,0.0001,${measureEvery}.0,Normal\n`
  }

  /** Its pictures are looked at by libraries that work in real time, and the day waits for them. */
  camera(): Camera {
    const faults = this.#episodes.flatMap(({ device, name, from, until }) =>
      device === 'street' && isCameraFault(name) ? [{ from, until, fault: name }] : [],
    )
    const size = { width: 160, height: 90, framesPerSecond: 1 }
    const camera = new SimulatedCamera({ name: 'street', clock: this.time, ...size, faults })
    const { time } = this
    return {
      name: 'street',
      async *readings(signal) {
        for await (const item of camera.readings(signal)) {
          const release = time.hold()
          try {
            yield item
          } finally {
            release()
          }
        }
      },
    }
  }

  /** What the devices do by themselves, until the signal aborts. */
  async live(signal: AbortSignal): Promise<void> {
    const cars = this.#random.fork('cars')
    await Promise.all([
      this.#readerLine.speak((seconds, now) => carBytes(seconds, now, cars), signal),
      this.#receiverLine.speak((seconds, now) => this.#satellites(seconds, now), signal),
      this.#measure(signal),
      this.#switch(signal),
    ])
  }

  /** The receiver has the true time, whatever the system clock says. */
  #satellites(seconds: number, now: Episode | null): Uint8Array | null {
    switch (now?.name) {
      case 'silence':
        return null
      case 'no sky':
        return Buffer.from(sentence('GNGGA,123519.00,,,,,0,00,99.9,,,,,,'))
      case 'antenna':
        return Buffer.from(sentence('GNTXT,01,01,01,ANTSTATUS=OPEN'))
      default:
        return Buffer.from(`${sentence('GNTXT,01,01,01,ANTSTATUS=OK')}${positionOf(this.time.trueTime(seconds))}`)
    }
  }

  async #measure(signal: AbortSignal): Promise<void> {
    const troubles = this.#troublesOf('weather')
    const weather = this.#random.fork('weather')
    let present = true
    while (!signal.aborted) {
      const now = troubles.at(this.time.monotonic())?.name
      if (present !== (now !== 'unplugged')) {
        present = now !== 'unplugged'
        this.board.plug(present)
      }
      if (now === 'wire') this.board.measure('air', 'temperature', null, 'disconnected')
      else this.board.measure('air', 'temperature', 18 + weather.normal(0, 0.1))
      if (now === 'stuck') this.board.measure('cups', 'wind-speed', null, 'stuck')
      else this.board.measure('cups', 'wind-speed', 3 + weather.between(-1, 1))
      this.board.measure('supply', 'battery', now === 'battery' ? 10.2 : 12.6)
      await this.time.sleep(10, signal)
    }
  }

  async #switch(signal: AbortSignal): Promise<void> {
    const troubles = this.#troublesOf('terminals')
    let before: string | undefined
    let level: 'high' | 'low' = 'low'
    while (!signal.aborted) {
      const now = troubles.at(this.time.monotonic())?.name
      if (now !== before) {
        if (now === 'unplugged' || before === 'unplugged') this.switches.plug(now !== 'unplugged')
        if (now === 'power' || before === 'power') this.switches.move(mains, now === 'power' ? 'high' : 'low')
        if (before === 'rattling' && level === 'high') this.switches.move(loop, 'low')
        before = now
        level = 'low'
      }
      if (now === 'rattling') {
        level = level === 'low' ? 'high' : 'low'
        this.switches.move(loop, level)
      }
      await this.time.sleep(now === 'rattling' ? rattle : 1, signal)
    }
  }

  #troublesOf(device: string): Troubles {
    return new Troubles(this.#episodes.filter(episode => episode.device === device && episode.from < this.#seconds))
  }
}

function isCameraFault(name: string): name is SimulatedCameraFault['fault'] {
  return ['absent', 'black', 'frozen', 'covered', 'turned'].includes(name)
}

/** A car about every twenty seconds. */
function carBytes(seconds: number, now: Episode | null, cars: Random): Uint8Array | null {
  const frame = () => `\x0220260301050000${String(1 + cars.integer(2)).padStart(2, '0')}${plate(cars)}\x03`
  switch (now?.name) {
    case 'noise':
      return Uint8Array.from({ length: 64 }, () => 128 + cars.integer(128))
    case 'silence':
      return null
    case 'flood':
      return Math.floor(seconds) % 60 === 0 ? Buffer.from(Array.from({ length: 1000 }, frame).join('')) : null
    default:
      return cars.chance(0.05) ? Buffer.from(frame()) : null
  }
}

function plate(cars: Random): string {
  return Array.from({ length: 7 }, () => 'ABCDEFGHJKLMNPRSTUVWXYZ0123456789'[cars.integer(33)]).join('')
}
