import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../drivers/system-clock.js'
import { messageOf } from '../errors.js'
import { writeDurably } from '../hotlist/generations.js'
import type { DeliverySession } from '../uplink/delivery-contract.js'
import type { LiveStream } from '../uplink/live-stream.js'
import { type Outcome, outcomes } from './apply-outcomes.js'
import { type Role, systemTime } from './role.js'

interface TellChangesOptions {
  readonly role: Role
  readonly session: Pick<DeliverySession, 'publish'>
  readonly stream: LiveStream
}

const toldFile = 'uplink.changes-told'

/**
 * Tells what became of the changes that polewatch-apply has taken up, until the signal aborts: each is a record of the audit chain
 * and, where its command is known, a second answer to it. One that the hub's broker has not taken is told again.
 */
export async function tellChanges({ role, session, stream }: TellChangesOptions, signal: AbortSignal): Promise<void> {
  const { site, gateway, exercise, paths } = role.configuration
  let recorded = 0
  while (!signal.aborted) {
    const all = outcomes(paths)
    const told = Math.min(toldUntil(paths.state), all.at(-1)?.number ?? 0)
    for (const { number, request, outcome, code, detail, command } of all.filter(each => each.number > told)) {
      try {
        if (number > recorded)
          await role.journal.record({
            action: 'change',
            subject: request,
            detail: { outcome, code, command: command?.id ?? null },
          })
        recorded = number
        if (command !== null) {
          const answer = stream.request(
            {
              name: 'command-result',
              time: systemTime(),
              exercise,
              data: {
                command,
                name: request.startsWith('policy-') ? 'policy' : 'configuration',
                outcome: answered[outcome],
                code,
                detail,
                result: { request, applied: outcome === 'applied' },
              },
            },
            { site, gateway: gateway.id },
          )
          await session.publish(answer)
        }
        writeDurably(paths.state, toldFile, `${number}\n`)
      } catch (error) {
        role.log.debug({ error: messageOf(error) }, 'what became of a change is told later')
        break
      }
    }
    await systemClock.sleep(1, signal)
  }
}

const answered = {
  applied: 'done',
  waiting: 'refused',
  refused: 'refused',
  'taken-back': 'failed',
  interrupted: 'failed',
} as const satisfies Record<Outcome['outcome'], string>

function toldUntil(folder: string): number {
  try {
    return Number(readFileSync(join(folder, toldFile), 'utf8')) || 0
  } catch {
    return 0
  }
}
