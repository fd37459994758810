import type { KeyObject } from 'node:crypto'
import { messageOf, PolewatchError } from '../errors.js'
import { Delivery } from '../journal/delivery.js'
import type { JournalReader } from '../journal/reader.js'
import { formatSequence } from '../messages/stream.js'
import { Deliverer } from '../uplink/delivery.js'
import type { DeliveryNotice, DeliverySession } from '../uplink/delivery-contract.js'
import { type Role, systemTime } from './role.js'
import { rolePaths } from './role-files.js'

/** A broker or a hub that is away for less is no fault worth an alert: each sees by itself that the other went and came. Seconds. */
export const tellAbsenceAfter = 60

export interface RunningDelivery {
  readonly deliverer: Deliverer
  close(): void
}

/** The delivery of the journals' alerts by the configuration, with what goes wrong in it told as faults of its parts. */
export function deliver(
  role: Role,
  session: DeliverySession,
  journals: readonly JournalReader[],
  hubKeys: readonly KeyObject[],
  absentAfter = tellAbsenceAfter,
): RunningDelivery {
  const { site, gateway, paths, uplink } = role.configuration
  const silent = new Set<string>()
  let absence: NodeJS.Timeout | undefined
  const progress = Delivery.open({
    path: rolePaths(paths, 'uplink').delivery,
    clock: systemTime,
    delay: 0.25,
    onFault: fault => {
      if (fault === null) role.ready('progress', 'The file of acknowledgements can be written again.')
      else role.raise('progress', 'faulty', 'progress-unwritable', fault.message, fault.code)
    },
    onDamage: damage => role.raise('progress', 'faulty', 'progress-damaged', damage.message, damage.code),
  })
  const deliverer = new Deliverer({
    site,
    gateway: gateway.id,
    session,
    journals,
    progress,
    acknowledge: uplink.acknowledge,
    hubKeys,
    window: uplink.window,
    onNotice: notice => {
      role.log.warn({ notice: { ...notice, error: 'error' in notice ? messageOf(notice.error) : null } }, notice.kind)
      if (notice.kind === 'delivered-again' && notice.gone.length > 0) tellGone(role, notice)
      else if (notice.kind === 'hub-silent') {
        silent.add(notice.source)
        absence ??= setTimeout(tellSilence, absentAfter * 1000).unref()
      } else if (notice.kind === 'hub-answers' && silent.delete(notice.source) && silent.size === 0) {
        clearTimeout(absence)
        absence = undefined
        role.ready('alerts', 'They are acknowledged.')
      }
    },
  })
  const tellSilence = (): void => {
    const count = deliverer.streams().reduce((sum, { last, acknowledged }) => sum + last - acknowledged, 0)
    const whose = uplink.acknowledge === 'hub' ? 'the hub' : 'the broker'
    const fault = new PolewatchError('PW_ALERTS_WAIT', { count, age: 'a minute', whose })
    role.raise('alerts', 'absent', 'alerts-wait', fault.message, fault.code)
  }
  return {
    deliverer,
    close: () => {
      clearTimeout(absence)
      deliverer.stop()
      progress.close()
    },
  }
}

/** Tells a hub that has lost what it had which numbers it cannot be given again. */
function tellGone(role: Role, { source, epoch, gone }: DeliveryNotice & { readonly kind: 'delivered-again' }): void {
  const ranges = gone.map(([first, last]) => {
    return { stream: source, epoch, first: formatSequence(first), last: formatSequence(last) }
  })
  const count = gone.reduce((sum, [first, last]) => sum + last - first + 1, 0)
  const data = { ranges, count, reason: 'acknowledged' as const }
  // Logged by `append`; the hub still sees where it begins.
  role.append({ name: 'shed', time: systemTime(), exercise: role.configuration.exercise, data }).catch(() => {})
}
