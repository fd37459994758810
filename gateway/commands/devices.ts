import {
  DeviceFileError,
  loadArrayGeometry,
  loadPlateReaderLayout,
  loadSensorBoardMap,
} from '../../drivers/device-files.js'
import { LibgpiodIo } from '../../drivers/digital-io/libgpiod.js'
import type { GnssReceiver } from '../../drivers/gnss/gnss.js'
import { GpsdReceiver } from '../../drivers/gnss/gpsd.js'
import { NmeaReceiver } from '../../drivers/gnss/nmea.js'
import { AlsaArray } from '../../drivers/microphone-array/alsa.js'
import type { ArrayGeometry } from '../../drivers/microphone-array/geometry.js'
import type { MicrophoneArray } from '../../drivers/microphone-array/microphone-array.js'
import { RecordedArray } from '../../drivers/microphone-array/recording.js'
import { SimulatedArray } from '../../drivers/microphone-array/simulator.js'
import type { PlateReaderLayout } from '../../drivers/plate-reader/layout.js'
import type { PlateReader } from '../../drivers/plate-reader/plate-reader.js'
import { SerialPlateReader } from '../../drivers/plate-reader/serial.js'
import { SimulatedPlateReader } from '../../drivers/plate-reader/simulator.js'
import { TcpPlateReader, TcpServerPlateReader } from '../../drivers/plate-reader/tcp.js'
import { WiegandPlateReader } from '../../drivers/plate-reader/wiegand.js'
import { FirmataBoard } from '../../drivers/sensor-board/firmata.js'
import type { SensorBoardMap } from '../../drivers/sensor-board/pin-map.js'
import type { SensorBoard } from '../../drivers/sensor-board/sensor-board.js'
import { systemClock } from '../../drivers/system-clock.js'
import type {
  GnssSettings,
  MicrophoneArraySettings,
  PlateReaderSettings,
  SensorBoardSettings,
} from '../config/schema.js'
import { PolewatchError } from '../errors.js'

/** @throws PolewatchError PW_DEVICE_FILE */
export async function geometryOf(name: string): Promise<ArrayGeometry> {
  return deviceFile(loadArrayGeometry(name))
}

/**
 * The driver that the configuration asks for.
 *
 * @param startAt system time at which recordings begin, seconds since 1970 UTC; null for the moment they are first read
 * @throws PolewatchError PW_DEVICE_FILE
 */
export async function microphoneArray(
  settings: MicrophoneArraySettings,
  startAt: number | null,
): Promise<MicrophoneArray> {
  const geometry = await geometryOf(settings.geometry)
  const channels = geometry.microphones.length
  const { name } = settings
  switch (settings.driver) {
    case 'alsa':
      return new AlsaArray({
        name,
        device: settings.device,
        channels: settings.channels ?? geometry.capture?.channels ?? channels,
        microphones: geometry.capture?.microphones ?? geometry.microphones.map((_, index) => index),
        ...(settings.sampleRate === null ? {} : { sampleRate: settings.sampleRate }),
        clock: systemClock,
      })
    case 'recording': {
      const begin = startAt ?? settings.startTime
      return new RecordedArray({
        name,
        files: [settings.file],
        startTime: settings.startTime ?? systemClock.system(),
        pace: settings.pace,
        ...(begin === null ? {} : { startAt: begin }),
        channels,
        clock: systemClock,
      })
    }
    case 'simulator':
      return new SimulatedArray({
        name,
        channels,
        sampleRate: settings.sampleRate,
        clock: systemClock,
        seed: settings.seed,
        impulses: shotsEvery(settings.shotInterval),
      })
  }
}

/** @throws PolewatchError PW_DEVICE_FILE */
export async function plateReader(settings: PlateReaderSettings): Promise<PlateReader> {
  const { name } = settings
  if (settings.driver === 'simulator') {
    const { plates, interval } = settings
    const reads = Array.from({ length: Math.ceil(simulatedSeconds / interval) }, (_, index) => ({
      at: (index + 1) * interval,
      text: plates[index % plates.length] ?? '',
    }))
    return new SimulatedPlateReader({ name, reads, clock: systemClock })
  }
  if (settings.driver === 'wiegand') {
    const { chip, data0, data1, bits } = settings
    const inputs = new LibgpiodIo({ name, chip, inputs: [data0, data1], outputs: [], clock: systemClock })
    return new WiegandPlateReader({ name, inputs, data0, data1, bits, clock: systemClock })
  }
  const common = { name, layout: await layoutOf(settings.layout), clock: systemClock }
  if (settings.driver === 'tcp') return new TcpPlateReader({ ...common, host: settings.host, port: settings.tcpPort })
  if (settings.driver === 'tcp-server') {
    return new TcpServerPlateReader({ ...common, address: settings.address, port: settings.tcpPort })
  }
  const { baudRate, dataBits, parity, stopBits, flowControl } = settings
  const line = {
    ...(baudRate === null ? {} : { baudRate }),
    ...(dataBits === null ? {} : { dataBits }),
    ...(parity === null ? {} : { parity }),
    ...(stopBits === null ? {} : { stopBits }),
    ...(flowControl === null ? {} : { flowControl }),
  }
  return new SerialPlateReader({ ...common, path: settings.port, line })
}

export function gnssReceiver(settings: GnssSettings, name: string): GnssReceiver {
  const common = { name, clock: systemClock }
  if (settings.driver === 'gpsd') return new GpsdReceiver({ ...common, port: settings.tcpPort })
  return new NmeaReceiver({ ...common, path: settings.port, baudRate: settings.baudRate })
}

/** @throws PolewatchError PW_DEVICE_FILE */
export async function pinMapOf({ pinMap }: Pick<SensorBoardSettings, 'pinMap'>): Promise<SensorBoardMap> {
  return deviceFile(loadSensorBoardMap(pinMap))
}

/** @throws PolewatchError PW_DEVICE_FILE */
export async function sensorBoard(settings: SensorBoardSettings): Promise<SensorBoard> {
  const { name, port } = settings
  return new FirmataBoard({ name, path: port, map: await pinMapOf(settings), clock: systemClock })
}

/** @throws PolewatchError PW_DEVICE_FILE */
export async function layoutOf(name: string): Promise<PlateReaderLayout> {
  return deviceFile(loadPlateReaderLayout(name))
}

/** A simulated device goes on for a day; whoever tries an installation for longer starts it again. */
const simulatedSeconds = 86_400

function shotsEvery(interval: number | null): { at: number; level: number }[] {
  if (interval === null) return []
  return Array.from({ length: Math.floor(simulatedSeconds / interval) }, (_, index) => ({
    at: (index + 1) * interval,
    level: 0.5,
  }))
}

async function deviceFile<Content>(loading: Promise<Content>): Promise<Content> {
  try {
    return await loading
  } catch (error) {
    if (!(error instanceof DeviceFileError)) throw error
    throw new PolewatchError('PW_DEVICE_FILE', { why: error.message }, error)
  }
}
