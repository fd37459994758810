import type { GnssSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { keepGoing } from '../health/keep-going.js'
import { gnssReceiver } from './devices.js'
import { PositionWatch } from './position-watch.js'
import type { Role } from './role.js'
import { report } from './role-health.js'

/** The receiver's name in faults and in health. */
const part = 'gnss'

/** Satellites and system clock may differ by this without a fault, seconds: a receiver's words come late. */
const earliest = -0.3
const latest = 1.5
/** So many fixes in a row have to differ. */
const lasting = 10
/** A receiver that neither gives a position nor says why for so long hangs, seconds. */
const longestSilence = 60

/** The role that has the receiver: gpsd is asked over the local network, a wire belongs to sensing. */
export function roleOfReceiver({ driver }: GnssSettings): 'sensing' | 'uplink' {
  return driver === 'gpsd' ? 'uplink' : 'sensing'
}

/**
 * Watches position and time of the satellite receiver, where this role has one, until the signal aborts.
 *
 * @param open makes the driver of the receiver
 */
export async function watchPosition(role: Role, signal: AbortSignal, open = gnssReceiver): Promise<void> {
  const [settings] = role.configuration.gnss
  if (settings === undefined || roleOfReceiver(settings) !== role.name) return
  const run = (own: AbortSignal): Promise<void> => followReceiver(role, settings, own, open)
  await keepGoing(role, { name: part, required: false, run }, signal)
}

async function followReceiver(
  role: Role,
  settings: GnssSettings,
  signal: AbortSignal,
  open: typeof gnssReceiver,
): Promise<void> {
  const watch = new PositionWatch(role, settings)
  const counts = { fixes: 0, dropped: 0 }
  let differing = 0
  role.expect(part, longestSilence)
  for await (const reading of open(settings, part).readings(signal)) {
    if (reading.kind === 'state') {
      report(role, part, reading)
      continue
    }
    role.delivered(part)
    counts.fixes += 1
    counts.dropped += reading.dropped
    role.count(part, counts)
    watch.take(reading, role.clock.monotonic())
    if (reading.utc === null) continue
    const behind = reading.systemTime - reading.utc
    differing = behind < earliest || behind > latest ? differing + 1 : 0
    if (differing === 0) role.ready('gnss time')
    if (differing >= lasting) {
      const fault = new PolewatchError('PW_CLOCK_NOT_GNSS', { seconds: behind.toFixed(1) })
      role.raise('gnss time', 'faulty', 'clock-not-gnss', fault.message, fault.code)
    }
  }
}
