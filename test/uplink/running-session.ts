import type { Test } from 'tap'
import { MqttSession, type SessionChange, type SessionOptions } from '../../gateway/uplink/session.js'

/** The CONNACK of MQTT 5 that accepts. */
export const connected5 = Buffer.from([0x20, 3, 0, 0, 0])

/** A session that runs until the test ends, with short waits; `changes` grows with what it tells. */
export function sessionWith(t: Test, options: Partial<SessionOptions> & Pick<SessionOptions, 'brokers'>) {
  const changes: SessionChange[] = []
  const session = new MqttSession({
    clientId: 'pole-1',
    random: () => 0.05,
    onChange: change => changes.push(change),
    ...options,
  })
  t.teardown(() => session.stop())
  session.start()
  return { session, changes, reasons: () => changes.map(change => change.reason ?? change.state) }
}
