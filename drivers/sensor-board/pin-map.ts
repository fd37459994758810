import { z } from 'zod'

const interval = z.number().min(0.05).max(3600).default(10)
const sensorName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/)
/** The least and the greatest that is believed, in the unit of the quantity. */
const span = z.tuple([z.number(), z.number()]).refine(([least, most]) => least < most, 'the lesser comes first')
const digitalPin = z.int().min(0).max(127)

const calibrationSchema = z.discriminatedUnion('kind', [
  /** value = scale × volts + offset */
  z.strictObject({ kind: z.literal('linear'), scale: z.number(), offset: z.number().default(0) }),
  /** Volts and value, rising by volts; straight lines between. */
  z.strictObject({
    kind: z.literal('table'),
    points: z
      .array(z.tuple([z.number(), z.number()]))
      .min(2)
      .max(64)
      .refine(
        points => points.every(([volts], at) => at === 0 || volts > (points[at - 1]?.[0] ?? 0)),
        'volts must rise',
      ),
  }),
  /** A thermistor from the pin to ground, with a resistor to the reference: ohms at 25 °C, its B in kelvin, the resistor's ohms. */
  z.strictObject({
    kind: z.literal('thermistor'),
    resistance: z.number().positive(),
    beta: z.number().positive(),
    divider: z.number().positive(),
  }),
])

export type Calibration = z.infer<typeof calibrationSchema>

const analogSensorSchema = z.strictObject({
  kind: z.literal('analog'),
  name: sensorName,
  quantity: z.enum(['temperature', 'humidity', 'pressure', 'wind-speed', 'wind-direction', 'battery', 'light']),
  /** Analog channel: 0 is A0. */
  channel: z.int().min(0).max(15),
  calibration: calibrationSchema,
  /** Volts that a connected sensor gives. */
  connected: span.optional(),
  plausible: span.optional(),
  /** A sensor that gives the very same for so long is stuck, seconds; never unless given. */
  stuckSeconds: z.number().positive().optional(),
  interval,
})

const switchSensorSchema = z.strictObject({
  kind: z.literal('switch'),
  name: sensorName,
  quantity: z.enum(['tilt', 'tamper']),
  /** To ground; the board's own pull-up is on. */
  pin: digitalPin,
  /** State of the contact that is the alarm. A cut wire is an open contact. */
  alarmWhen: z.enum(['open', 'closed']),
  interval,
})

const pulseSensorSchema = z.strictObject({
  kind: z.literal('pulse'),
  name: sensorName,
  quantity: z.literal('wind-speed'),
  /** To ground; the board's own pull-up is on. */
  pin: digitalPin,
  /** Metres a second for one pulse a second. */
  perHertz: z.number().positive(),
  /** Metres a second at which the cups begin to turn; added while they do. */
  offset: z.number().min(0).default(0),
  plausible: span.optional(),
  interval,
})

const i2cSensorSchema = z.strictObject({
  kind: z.literal('i2c'),
  name: sensorName,
  controller: z.enum(['BMP280', 'BME280']),
  address: z.int().min(8).max(119).default(0x76),
  stuckSeconds: z.number().positive().default(300),
  interval,
})

/** A file of `firmware-config/devices/sensor-boards`: what is connected to which pin of a board. */
export const sensorBoardMapSchema = z.strictObject({
  name: sensorName,
  description: z.string().min(1),
  /** Where the sensors' figures come from. */
  source: z.string().min(1),
  /** Bits a second; 57600 is StandardFirmata's. */
  baudRate: z.int().min(9600).max(1_000_000).default(57_600),
  /** Volts at which the converter is full. */
  referenceVolts: z.number().min(1).max(5.5),
  /** Time between two looks of the board at its pins, seconds. */
  samplingInterval: z.number().min(0.01).max(16).default(0.1),
  sensors: z
    .array(z.discriminatedUnion('kind', [analogSensorSchema, switchSensorSchema, pulseSensorSchema, i2cSensorSchema]))
    .min(1)
    .max(32)
    .refine(sensors => new Set(sensors.map(({ name }) => name)).size === sensors.length, 'names must differ'),
})

export type SensorBoardMap = z.infer<typeof sensorBoardMapSchema>
export type SensorSettings = SensorBoardMap['sensors'][number]
