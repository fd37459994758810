import { systemClock } from '../../drivers/system-clock.js'
import { PolewatchError } from '../errors.js'
import type { DeliverySession } from '../uplink/delivery-contract.js'
import { MeteredSession, type Traffic, TrafficBudget, trafficSchema } from '../uplink/traffic-budget.js'
import { KeptFile } from './kept-file.js'
import { type Role, systemTime } from './role.js'

export interface Metered {
  readonly session: DeliverySession
  /** What was sent and held back; null where there is no budget. */
  traffic(): Traffic | null
  /** Tells when something is held back, and keeps the counts, until the signal aborts. */
  follow(signal: AbortSignal): Promise<void>
}

/** The counts go to flash this often, seconds. What is sent in between is not counted after a loss of power. */
const saveEvery = 900
const lookEvery = 5

/** The session, held to the budget of the configuration where there is one. */
export function meter(role: Role, session: DeliverySession): Metered {
  const { uplink, paths } = role.configuration
  const { bytesPerDay, bytesPerMonth } = uplink.budget
  if (bytesPerDay === null && bytesPerMonth === null)
    return { session, traffic: () => null, follow: async () => undefined }
  const kept = new KeptFile(paths.state, 'uplink.traffic.json', trafficSchema, message => role.log.warn(message))
  const budget = new TrafficBudget(uplink.budget, systemTime, kept.load())
  return {
    session: new MeteredSession(session, budget),
    traffic: () => budget.toJSON(),
    follow: async signal => {
      let saved = performance.now()
      while (!signal.aborted) {
        tell(role, budget)
        if (performance.now() - saved > saveEvery * 1000) {
          kept.save(budget)
          saved = performance.now()
        }
        await systemClock.sleep(lookEvery, signal)
      }
      kept.save(budget)
    },
  }
}

function tell(role: Role, budget: TrafficBudget): void {
  const { dayBytes, monthBytes } = budget.toJSON()
  const withheld = Object.values(budget.withheld).reduce((sum, count) => sum + count, 0)
  if (withheld === 0) role.ready('traffic', 'All is sent.')
  else {
    const fault = new PolewatchError('PW_TRAFFIC_BUDGET', { percent: Math.round(budget.spent * 100) })
    role.raise('traffic', 'faulty', 'traffic-budget', fault.message, fault.code)
  }
  role.measure('traffic', { dayBytes, monthBytes, withheld })
}
