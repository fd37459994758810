import { z } from 'zod'
import { heading, hertz, identifier, instant, path, probability } from './fields.js'

// What a gateway senses with: one alternative a driver. The driver's own key comes first in each.

const arrayParts = {
  name: identifier.describe('Name of the array, unique among all arrays and readers.'),
  geometry: identifier
    .meta({ allowed: 'the name of a file in firmware-config/devices/microphone-arrays, without its ending' })
    .describe('Where the microphones sit in the array.'),
  heading: heading
    .nullable()
    .default(null)
    .describe("Where the array's front mark faces. Empty: as `gateway.heading`."),
}

export const microphoneArray = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('alsa').describe('A sound card, by the Linux sound system.'),
    ...arrayParts,
    device: z
      .string()
      .regex(/^hw:[\x21-\x7e]{1,64}$/)
      .meta({ allowed: 'the name of a hardware device such as "hw:CARD=array,DEV=0"' })
      .describe('The sound card. Names by CARD= survive a reboot, numbers may not.'),
    channels: z
      .int()
      .min(1)
      .max(64)
      .nullable()
      .default(null)
      .describe('Channels to open. Empty: as many as the geometry says that the card has.'),
    sampleRate: hertz.nullable().default(null).describe("Rate to open the card at. Empty: the card's own."),
  }),
  z.strictObject({
    driver: z.literal('recording').describe('A sound file in the place of a microphone array.'),
    ...arrayParts,
    file: path.describe('WAV or FLAC file with one channel for each microphone of the geometry.'),
    startTime: instant
      .nullable()
      .default(null)
      .describe('When the first sample was taken. Empty: the moment it is first read.'),
    pace: z
      .enum(['real-time', 'fast'])
      .default('real-time')
      .describe('Whether to read as time passes or as fast as possible.'),
  }),
  z.strictObject({
    driver: z.literal('simulator').describe('Made-up sound, to try an installation without microphones.'),
    ...arrayParts,
    sampleRate: hertz.default(48000).describe('Rate of the sound made.'),
    shotInterval: z
      .number()
      .gt(0)
      .max(86400)
      .nullable()
      .default(null)
      .meta({ unit: 'seconds' })
      .describe('Time between one made-up shot and the next. Empty: noise only.'),
    seed: z.int().min(0).max(4294967295).default(1).describe('The same seed makes the same sound.'),
  }),
])

const readerParts = {
  name: identifier.describe('Name of the reader, unique among all arrays and readers.'),
  lane: z
    .union([z.string().min(1).max(32), z.int().min(0).max(999)])
    .transform(String)
    .nullable()
    .default(null)
    .meta({ allowed: 'a number or a text of at most 32 characters' })
    .describe('Lane that the reader watches. Empty: what the reader says, else unknown.'),
  direction: z
    .enum(['approaching', 'departing'])
    .nullable()
    .default(null)
    .describe('Way the traffic goes in that lane. Empty: what the reader says, else unknown.'),
  minimumConfidence: probability
    .default(0)
    .describe(
      'Reads with less confidence are counted and forgotten. Readers that give no confidence are not affected.',
    ),
  quietHours: z
    .number()
    .min(0.1)
    .max(720)
    .nullable()
    .default(24)
    .meta({ unit: 'hours' })
    .describe('A reader that is there and has read nothing for so long is a fault. Empty: it never is.'),
}

const layout = identifier
  .meta({ allowed: 'the name of a file in firmware-config/devices/plate-readers, without its ending' })
  .describe('How the reader writes a plate.')

const tcpPort = z.int().min(1).max(65535)

export const plateReader = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('serial').describe('A reader on a serial line: RS-232, RS-485 or USB.'),
    ...readerParts,
    port: path.describe('The serial port, best by a name that udev keeps, such as /dev/serial/by-id/….'),
    layout,
    baudRate: z
      .int()
      .min(300)
      .max(4000000)
      .nullable()
      .default(null)
      .meta({ unit: 'bits a second' })
      .describe("Speed of the line. Empty: the layout's."),
    dataBits: z
      .union([z.literal(7), z.literal(8)])
      .nullable()
      .default(null)
      .meta({ allowed: '7 or 8' })
      .describe("Data bits. Empty: the layout's."),
    parity: z.enum(['none', 'even', 'odd']).nullable().default(null).describe("Parity. Empty: the layout's."),
    stopBits: z
      .union([z.literal(1), z.literal(2)])
      .nullable()
      .default(null)
      .meta({ allowed: '1 or 2' })
      .describe("Stop bits. Empty: the layout's."),
    flowControl: z
      .enum(['none', 'hardware', 'software'])
      .nullable()
      .default(null)
      .describe("RTS/CTS (hardware) or XON/XOFF (software). Empty: the layout's."),
  }),
  z.strictObject({
    driver: z.literal('tcp').describe('A reader that waits for a connection on the local network.'),
    ...readerParts,
    host: z.string().min(1).max(253).describe('Name or address of the reader.'),
    tcpPort: tcpPort.describe('Port on which the reader waits.'),
    layout,
  }),
  z.strictObject({
    driver: z.literal('tcp-server').describe('A reader that calls the gateway over the local network.'),
    ...readerParts,
    address: z
      .union([z.ipv4(), z.ipv6()])
      .refine(address => !/^[0:.]+$/.test(address), 'one address of this machine, not all of them')
      .meta({ allowed: 'one IP address of this machine' })
      .describe('The address to listen on, best that of the camera network.'),
    tcpPort: tcpPort.describe('Port to listen on.'),
    callsFrom: z
      .union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()])
      .nullable()
      .default(null)
      .meta({ allowed: 'an IP address or a network such as "192.0.2.0/24"' })
      .describe('Whom systemd and the firewall let call. Empty: the whole network of `address`.'),
    layout,
  }),
  z.strictObject({
    driver: z.literal('wiegand').describe('A reader on two Wiegand lines.'),
    ...readerParts,
    chip: z
      .string()
      .regex(/^[\x21-\x7e]{1,64}$/)
      .meta({ allowed: 'a name or label such as "gpiochip0"' })
      .describe('The GPIO chip, by name or label; `gpiodetect` lists them.'),
    data0: z.int().min(0).max(1023).describe('Line on which a pulse is a zero.'),
    data1: z.int().min(0).max(1023).describe('Line on which a pulse is a one.'),
    bits: z
      .union([z.literal(26), z.literal(64)])
      .meta({ allowed: '26 or 64' })
      .describe('Length of a frame. 64 bits carry the text; 26 carry a hash, which is counted and never alerts.'),
  }),
  z.strictObject({
    driver: z.literal('simulator').describe('Made-up reads, to try an installation without a reader.'),
    ...readerParts,
    plates: z
      .array(z.string().min(1).max(16))
      .min(1)
      .max(1000)
      .describe('Texts to read, one after the other and again from the start. Made-up ones, please.'),
    interval: z.number().gt(0).max(86400).default(10).meta({ unit: 'seconds' }).describe('Time between two reads.'),
  }),
])

const boardName = identifier.describe('Name of the board, unique among all arrays, readers and boards.')

export const sensorBoard = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('firmata').describe('A microcontroller with StandardFirmata on a serial line.'),
    name: boardName,
    port: path.describe('The serial port, best by a name that udev keeps, such as /dev/serial/by-id/….'),
    pinMap: identifier
      .meta({ allowed: 'the name of a file in firmware-config/devices/sensor-boards, without its ending' })
      .describe('What is connected to which pin.'),
    heading: heading
      .nullable()
      .default(null)
      .describe('Where the mark of the wind vane faces. Empty: as `gateway.heading`.'),
    batteryLow: z
      .number()
      .gt(0)
      .max(60)
      .nullable()
      .default(null)
      .meta({ unit: 'volts' })
      .describe('Below it the battery is low, which is a fault. Empty: never.'),
  }),
])
