import { z } from 'zod'
import { camera } from './cameras.js'
import { clock, gnss } from './clock.js'
import { microphoneArray, plateReader, sensorBoard } from './devices.js'
import { digitalIo } from './digital-io.js'
import { enrolment } from './enrolment.js'
import {
  brokerAddress,
  byteSize,
  gatewayName,
  heading,
  identifier,
  latitude,
  longitude,
  path,
  probability,
} from './fields.js'
import { hotlistList } from './hotlist-lists.js'
import { currentVersion } from './migrate.js'
import { commands, homeAssistant, metrics, trafficBudget } from './remote.js'

// One schema: what the file may hold, its defaults, its checks and the reference page all come from here. A key that
// nothing reads does not belong in it.

const gateway = z.strictObject({
  id: gatewayName.describe(
    'Name of this gateway, unique within the site. It is part of every topic and of every incident id.',
  ),
  position: z
    .strictObject({
      latitude: latitude.describe('Latitude of the microphones, WGS 84.'),
      longitude: longitude.describe('Longitude of the microphones, WGS 84.'),
      altitude: z
        .number()
        .min(-500)
        .max(9000)
        .meta({ unit: 'metres' })
        .describe('Height of the microphones above the WGS 84 ellipsoid.'),
      error: z
        .number()
        .gt(0)
        .max(1000)
        .meta({ unit: 'metres, one standard deviation on each horizontal axis' })
        .describe('How well the position is known: about 1 when surveyed, 7 for a single satellite fix.'),
    })
    .describe('Where the gateway is. Shots are located by it, so it is worth a survey.'),
  heading: heading
    .default(0)
    .describe('Where the front of the enclosure faces. Arrays face the same way unless they say otherwise.'),
  timeError: z
    .number()
    .gt(0)
    .max(3600)
    .nullable()
    .default(null)
    .meta({ unit: 'seconds, one standard deviation' })
    .describe('Error of the system clock, for recordings whose clock is known. Empty: what chrony reports.'),
})

const paths = z.strictObject({
  state: path.default('/var/lib/polewatch').describe('Folder on flash: journals, keys, the hotlist.'),
  runtime: path.default('/run/polewatch').describe('Folder in memory (tmpfs): what the processes tell each other.'),
})

const hotlist = z.strictObject({
  lists: z.array(hotlistList).max(64).default([]).describe('Lists of wanted plates, as agencies send them.'),
  commonTexts: z
    .array(z.string().min(1).max(32))
    .max(10_000)
    .default([])
    .describe(
      "Texts that drive by every day, such as the plates of the city's own buses. Entries that look like one are pointed out at import.",
    ),
  confirmedConfidence: probability
    .default(0.9)
    .describe('A single read must be at least this sure before an exact match is called a confirmed candidate.'),
})

const weather = z.strictObject({
  temperature: z
    .number()
    .min(-60)
    .max(60)
    .nullable()
    .default(null)
    .meta({ unit: 'degrees Celsius' })
    .describe('Temperature of the air. It sets the speed of sound.'),
  humidity: z
    .number()
    .min(0)
    .max(100)
    .nullable()
    .default(null)
    .meta({ unit: 'per cent' })
    .describe('Relative humidity.'),
  windSpeed: z
    .number()
    .min(0)
    .max(75)
    .nullable()
    .default(null)
    .meta({ unit: 'metres a second' })
    .describe('Speed of the wind.'),
  windFrom: heading.nullable().default(null).describe('Where the wind comes from.'),
})

const neighbours = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe('Whether to exchange arrivals with other gateways. Without it there are bearings, never positions.'),
  brokers: z
    .array(brokerAddress)
    .max(8)
    .default([])
    .describe('Where the gateways meet, tried in order. Empty: as `uplink.brokers`.'),
})

const uplink = z.strictObject({
  brokers: z.array(brokerAddress).min(1).max(8).describe("The hub's brokers, tried in order."),
  clientId: z
    .string()
    .regex(/^[\x21-\x7e]{1,128}$/)
    .nullable()
    .default(null)
    .meta({ allowed: '1 to 128 visible ASCII characters' })
    .describe('MQTT client id. Empty: made of site and gateway.'),
  user: z
    .string()
    .min(1)
    .max(256)
    .nullable()
    .default(null)
    .describe('Name to log in with, where the broker asks for one beside or instead of a certificate.'),
  passwordFile: path
    .nullable()
    .default(null)
    .describe('File whose first line is the password. The file, never the password.'),
  protocol: z
    .union([z.enum(['auto', '5', '3.1.1']), z.literal(5)])
    .transform(version => (version === 5 ? '5' : version))
    .default('auto')
    .meta({ allowed: 'auto, 5 or 3.1.1' })
    .describe('MQTT version. `auto` tries 5 first.'),
  acknowledge: z
    .enum(['hub', 'broker'])
    .default('hub')
    .describe(
      'Who has to confirm an alert before it is forgotten. `broker` only says that it was delivered to the broker.',
    ),
  hubKey: path
    .nullable()
    .default(null)
    .describe(
      "PEM file with the hub's public key, which its acknowledgements and verdicts are checked by. Needed where `acknowledge` is `hub`.",
    ),
  window: z
    .int()
    .min(1)
    .max(1000)
    .default(20)
    .meta({ unit: 'alerts' })
    .describe('How many alerts may be on their way at once.'),
  keepAliveSeconds: z
    .int()
    .min(5)
    .max(3600)
    .default(20)
    .meta({ unit: 'seconds' })
    .describe('A dead link is noticed after one and a half times this. Longer spares traffic on metered links.'),
  willDelaySeconds: z
    .int()
    .min(0)
    .max(3600)
    .default(30)
    .meta({ unit: 'seconds' })
    .describe('An absence shorter than this is not told as offline (MQTT 5).'),
  budget: trafficBudget.prefault({}).describe('For metered links. Gunfire is sent whatever it costs.'),
  tls: z
    .strictObject({
      ca: path
        .nullable()
        .default(null)
        .describe("PEM file with the authorities that may sign the broker's certificate. Empty: those of Node.js."),
      certificate: path
        .nullable()
        .default(null)
        .describe("PEM file with this gateway's certificate, or `credential:NAME` for one that systemd hands over."),
      key: path
        .nullable()
        .default(null)
        .describe("PEM file with the certificate's private key. The file, never the key."),
    })
    .prefault({})
    .describe('Encryption, used for mqtts and wss addresses.'),
  healthSeconds: z
    .number()
    .min(1)
    .max(86400)
    .default(60)
    .meta({ unit: 'seconds' })
    .describe('Time between two health messages.'),
})

const evidence = z.strictObject({
  keyFile: path
    .nullable()
    .default(null)
    .describe(
      'File with 64 hexadecimal digits, or `credential:NAME`: evidence is encrypted on flash with it. It helps where the key is not on the same card.',
    ),
  byteLimit: byteSize
    .default(67108864)
    .meta({ unit: 'bytes' })
    .describe('Most that is kept of each, pictures and sound. The oldest go first.'),
})

const journal = z.strictObject({
  byteLimit: byteSize
    .default(67108864)
    .meta({ unit: 'bytes' })
    .describe(
      'Largest size of one journal. When it is reached the lowest priority is shed first, counted and reported.',
    ),
})

const log = z.strictObject({
  level: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'])
    .default('info')
    .describe('How much is logged. No level logs a plate, a key or sound.'),
})

/** The configuration file. What it yields has every default filled in; see `Configuration` for what is completed after. */
export const configurationSchema = z.strictObject({
  version: z.literal(currentVersion).describe('Version of this format.'),
  site: identifier.describe('Name of the site (a city, a campus). Gateways of one site hear each other.'),
  exercise: z.boolean().default(false).describe('Marks every alert as made for a test or a drill.'),
  gateway: gateway.describe('This gateway.'),
  paths: paths.prefault({}).describe('Folders that polewatch writes to.'),
  clock: clock.prefault({}).describe('Who knows how right the system clock is.'),
  gnss: z.array(gnss).max(1).default([]).describe('A satellite receiver, which checks the position and the clock.'),
  microphoneArrays: z.array(microphoneArray).max(16).default([]).describe('What the gateway hears with.'),
  plateReaders: z.array(plateReader).max(16).default([]).describe('Readers on wires.'),
  sensorBoards: z
    .array(sensorBoard)
    .max(4)
    .default([])
    .describe('Boards that measure the air, the battery and what is done to the pole.'),
  cameras: z.array(camera).max(8).default([]).describe('What the gateway sees with.'),
  digitalIo: z.array(digitalIo).max(4).default([]).describe('Switches, lamps and relays.'),
  hotlist: hotlist.prefault({}).describe('Which plates are wanted, and how sure a hit has to be.'),
  weather: weather.prefault({}).describe('The air, as long as no sensor board measures it. Empty values are unknown.'),
  neighbours: neighbours.prefault({}).describe('Locating a shot takes several gateways.'),
  uplink: uplink.describe('The way to the hub.'),
  enrolment: enrolment.prefault({}).describe('How this unit gets its certificate, and a new one in time.'),
  commands: commands.prefault({}).describe('Who may tell this gateway what to do.'),
  homeAssistant: homeAssistant.prefault({}).describe('Shows the health of the gateway in Home Assistant.'),
  metrics: metrics.prefault({}).describe('Figures of the gateway for Prometheus, at /metrics.'),
  journal: journal.prefault({}).describe('What waits for the hub, on flash.'),
  evidence: evidence.prefault({}).describe('Pictures and sound of alerts, as far as the policy allows any.'),
  policyFile: path
    .nullable()
    .default(null)
    .describe('The policy: what may be matched, kept and asked for. Empty: the built-in one, which is strict.'),
  log: log.prefault({}).describe('Messages to standard error and the system journal.'),
})

export type ConfigurationFile = z.output<typeof configurationSchema>

type Faced<Part> = Part extends unknown ? Omit<Part, 'heading'> & { heading: number } : never

/** A checked configuration: paths are absolute, every array has a heading and neighbours have brokers. */
export interface Configuration extends Omit<ConfigurationFile, 'microphoneArrays'> {
  readonly microphoneArrays: readonly Faced<ConfigurationFile['microphoneArrays'][number]>[]
}

export type MicrophoneArraySettings = Configuration['microphoneArrays'][number]
export type PlateReaderSettings = Configuration['plateReaders'][number]
export type GnssSettings = Configuration['gnss'][number]
export type DigitalIoSettings = Configuration['digitalIo'][number]
export type InputSettings = DigitalIoSettings['inputs'][number]
export type OutputSettings = DigitalIoSettings['outputs'][number]
export type SensorBoardSettings = Configuration['sensorBoards'][number]
export type CameraSettings = Configuration['cameras'][number]
export type HotlistSettings = Configuration['hotlist']['lists'][number]
