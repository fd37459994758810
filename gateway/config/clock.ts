import { z } from 'zod'
import { path } from './fields.js'

// Time and place: who is asked for them.

export const clock = z.strictObject({
  chronyc: path
    .nullable()
    .default('/usr/bin/chronyc')
    .describe(
      'The program that uplink asks chrony by. Empty: nobody is asked, and nothing is known of the clock but `gateway.timeError`.',
    ),
})

const metres = (most: number) => z.number().min(-most).max(most).default(0).meta({ unit: 'metres' })

const receiverParts = {
  surveySeconds: z
    .number()
    .min(60)
    .max(604800)
    .default(3600)
    .meta({ unit: 'seconds' })
    .describe('The place is surveyed for at least so long after each start, before it is compared with the position.'),
  surveyAccuracy: z
    .number()
    .min(1)
    .max(100)
    .default(3)
    .meta({ unit: 'metres, one standard deviation' })
    .describe('And until it is known as well as this.'),
  movedMetres: z
    .number()
    .min(5)
    .max(1000)
    .default(15)
    .meta({ unit: 'metres' })
    .describe('Further than this from `gateway.position`, the position is called wrong or the pole moved.'),
  antennaOffset: z
    .strictObject({
      east: metres(100).describe('To the east.'),
      north: metres(100).describe('To the north.'),
      up: metres(100).describe('Upwards.'),
    })
    .prefault({})
    .describe('From the antenna to the microphones.'),
}

export const gnss = z.discriminatedUnion('driver', [
  z.strictObject({
    driver: z.literal('nmea').describe('A receiver on a serial line of its own. Sensing reads it.'),
    ...receiverParts,
    port: path.describe('The serial port, best by a name that udev keeps, such as /dev/serial/by-id/….'),
    baudRate: z.int().min(300).max(4000000).default(9600).meta({ unit: 'bits a second' }).describe('Its speed.'),
  }),
  z.strictObject({
    driver: z.literal('gpsd').describe('A receiver that gpsd on this machine looks after. Uplink asks it.'),
    ...receiverParts,
    tcpPort: z.int().min(1).max(65535).default(2947).describe('Port of gpsd on this machine.'),
  }),
])
