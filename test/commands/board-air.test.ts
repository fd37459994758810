import { join } from 'node:path'
import { test } from 'tap'
import { airOf } from '../../gateway/acoustics/propagation.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'
import { FirmataEmulator } from '../drivers/firmata-board.js'
import { writeGateway } from '../uplink/attack.js'
import { folderOf, RunningCommand, until } from './polewatch.js'

test('the air that a board measures is that of every report: its temperature is the speed of sound, its wind carries it', {
  timeout: 400_000,
}, async t => {
  const folder = folderOf(t)
  const port = join(folder, 'board')
  const keys = { hub: createSigningKey(), operator: createSigningKey() }
  const file = writeGateway(folder, 'mqtt://127.0.0.1:1', keys, [
    { path: ['gateway', 'heading'], value: 180 },
    { path: ['weather'], value: { temperature: 10 } },
    { path: ['sensorBoards'], value: [{ name: 'weather', driver: 'firmata', port, pinMap: 'uno-davis' }] },
  ])
  const sensing = new RunningCommand('sensing', '--config', file)
  t.teardown(() => sensing.stop())
  const reported = () => {
    const exchange = new ExchangeReader(join(folder, 'run', 'sensing.exchange.db'))
    try {
      const event = exchange
        .after(undefined, ['arrival'])
        .posts.map(({ body }) => openEvent(body))
        .at(-1)
      return event?.name === 'arrival' ? airOf(event.data.weather) : null
    } finally {
      exchange.close()
    }
  }
  const speedComes = (wanted: number, what: string) =>
    until(() => Math.abs((reported()?.speed ?? 0) - wanted) < 0.5, what, 150)

  await speedComes(337.31, 'the speed of sound at the configured 10 °C')
  await until(() => /"part":"weather".*PW_DEVICE_ABSENT/.test(sensing.errors), 'the absence of the board')
  const board = await FirmataEmulator.plug(port)
  t.teardown(() => board.unplug())
  board.tell({ volts: { 0: 0.5 + 0.31, 1: 1.25 }, levels: { 2: false }, pulses: 8 })
  await speedComes(349.59, 'the speed of sound at the measured 31 °C')
  // The vane says 90° from the mark of a board that faces south: the wind comes from the west.
  const wind = await until(() => {
    const air = reported()
    return air !== null && air.windEast > 0.2 ? air : null
  }, 'the wind')
  // On a busy machine the emulator turns the cups more slowly than at 8 m/s; pulses that waited are counted to the next reading.
  t.ok(wind.windEast < 16, `${wind.windEast} m/s towards the east`)
  t.ok(Math.abs(wind.windNorth) < 0.05 * wind.windEast, `${wind.windNorth} m/s towards the north`)
  board.tell({ volts: { 0: 0.5 - 0.05 } })
  await speedComes(328.25, 'the speed of sound at the measured -5 °C')
  await board.unplug()
  await until(() => sensing.errors.split('PW_DEVICE_ABSENT').length > 2, 'that the board has gone')
  t.equal(await sensing.stop(), 0)
})
