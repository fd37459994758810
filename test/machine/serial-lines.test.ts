import { test } from 'tap'
import { loadPlateReaderLayout } from '../../drivers/device-files.js'
import { NmeaReceiver } from '../../drivers/gnss/nmea.js'
import { SerialPlateReader } from '../../drivers/plate-reader/serial.js'
import { systemClock } from '../../drivers/system-clock.js'
import { gnssContract } from '../contracts/gnss.js'
import { plateReaderContract } from '../contracts/plate-reader.js'
import { positionSentence, sentence } from '../drivers/nmea.js'
import { SerialAdapter } from './serial-adapter.js'

/*
 * Drivers of serial lines against a serial adapter on USB. Runs in the test machine only.
 */

const usual = { clock: systemClock, random: () => 0 }

test('serial lines', async t => {
  const adapter = await SerialAdapter.find()
  const layout = await loadPlateReaderLayout('auto-intellect')
  const noise = Uint8Array.from({ length: 700 }, (_, index) => 128 + ((index * 37) % 128))
  plateReaderContract(t, {
    title: 'serial line, an adapter on USB',
    excused: {},
    noiseIsFault: true,
    countsReads: true,
    reopenings: 25,
    make: async ({ capacity }) => ({
      reader: new SerialPlateReader({ ...usual, name: 'lane-1', path: adapter.path, layout, capacity }),
      plug: () => adapter.plug(),
      unplug: () => adapter.unplug(),
      send: text => adapter.write(`\u00022018121900492801${text}\u0003`),
      noise: () => adapter.write(noise),
      rename: () => adapter.rename(),
      end: () => adapter.unplug(),
    }),
  })
  let repeating: NodeJS.Timeout | undefined
  const quiet = () => clearInterval(repeating)
  gnssContract(t, {
    title: 'NMEA, an adapter on USB',
    excused: {},
    reopenings: 25,
    make: async ({ capacity, silentSeconds }) => ({
      receiver: new NmeaReceiver({ ...usual, name: 'sky', path: adapter.path, capacity, silentSeconds }),
      plug: () => adapter.plug(),
      unplug: async () => {
        quiet()
        await adapter.unplug()
      },
      fix: async (latitude, longitude) => {
        quiet()
        await adapter.write(positionSentence(latitude, longitude))
      },
      lose: async () => {
        quiet()
        // No faster than the line is read where everything is translated.
        repeating = setInterval(() => adapter.write(sentence('GNGGA,123519.00,,,,,0,00,99.9,,,,,,')), 50)
      },
      noise: () => adapter.write('\u0000\u00ff$GNGGA,123519,4807.038,N*00\r\n$GPGGA'),
      rename: async () => {
        quiet()
        await adapter.rename()
      },
      end: async () => {
        quiet()
        await adapter.unplug()
      },
    }),
  })
  t.teardown(async () => {
    quiet()
    await adapter.close()
  })
})
