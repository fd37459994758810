import type { DistrustChange } from '../acoustics/trust.js'
import { PolewatchError } from '../errors.js'
import type { EventDraft } from '../messages/table.js'
import { formatTime } from '../messages/time.js'

/** A gateway's clock or place that the shots show to be wrong, as people and the hub are told of it. */

/** The part that has the fault, as seen from the gateway `own`; names of parts are not longer than 64 characters. */
export function distrustedPart({ gateway, fault }: DistrustChange, own: string): string {
  return (gateway === own ? `own ${fault.kind}` : `neighbour ${gateway}`).slice(0, 64)
}

export function distrustFault({ fault }: DistrustChange): 'clock-distrusted' | 'position-distrusted' {
  return fault.kind === 'clock' ? 'clock-distrusted' : 'position-distrusted'
}

export function distrustError({ gateway, fault }: DistrustChange): PolewatchError {
  const { estimate, error, shots, offset } = fault
  if (fault.kind === 'clock') {
    const off = `${Math.abs(estimate * 1000).toFixed(0)} ms ${estimate < 0 ? 'behind' : 'ahead'}`
    return new PolewatchError('PW_CLOCK_DISTRUSTED', { gateway, off, error: (error * 1000).toFixed(0), shots })
  }
  const off = `${estimate.toFixed(0)} m to the ${compassPoint(offset)}`
  return new PolewatchError('PW_POSITION_DISTRUSTED', { gateway, off, error: error.toFixed(0), shots })
}

export function clearedSentence({ gateway, fault: { kind } }: DistrustChange): string {
  return kind === 'clock'
    ? `What the gateway ${gateway} hears no longer shows that its clock is wrong.`
    : `What the gateway ${gateway} hears no longer shows that its position is wrong.`
}

/** The alert as it is told by the gateway `own`. */
export function distrustDraft(change: DistrustChange, own: string, now: number): EventDraft<'fault'> {
  const { code, message } = distrustError(change)
  const part = distrustedPart(change, own)
  const raised = change.state === 'raised'
  return {
    name: 'fault',
    time: now,
    exercise: false,
    subject: part,
    data: {
      fault: distrustFault(change),
      code: raised ? code : null,
      part,
      state: change.state,
      detail: raised ? message : clearedSentence(change),
      since: formatTime(change.fault.since, 3),
    },
  }
}

const compass = ['north', 'north-east', 'east', 'south-east', 'south', 'south-west', 'west', 'north-west'] as const

function compassPoint({ east, north }: { readonly east: number; readonly north: number }): string {
  return compass[(Math.round((4 * Math.atan2(east, north)) / Math.PI) + 8) % 8] ?? 'north'
}
