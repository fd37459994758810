import { debounced } from '../../drivers/digital-io/debounced.js'
import type { DriverClock } from '../../drivers/driver.js'
import { kernelClock } from '../../drivers/system-clock.js'
import type { RelayCause } from '../config/digital-io.js'
import type { DigitalIoSettings } from '../config/schema.js'
import { messageOf } from '../errors.js'
import { keepGoing } from '../health/keep-going.js'
import type { PartHealth } from '../health/parts.js'
import { type GatewayCondition, statusOf } from '../health/status-lamp.js'
import { ExchangeReader } from '../journal/exchange.js'
import { messageTypes } from '../messages/table.js'
import { needsVision } from './reader-role.js'
import type { Role } from './role.js'
import { rolePaths } from './role-files.js'
import { healthKey, report } from './role-health.js'
import { SwitchBoard } from './switch-board.js'
import { digitalIo } from './switch-devices.js'
import { SwitchOutputs } from './switch-outputs.js'

/** How often lamps and relays are looked after, seconds; what a switch says acts on them at once. */
const lookEvery = 0.5
/** What another role said longer ago is not believed any more, seconds. */
const longestSilence = 30
/** A chip that says neither that its lines are held nor why they are not for so long hangs, seconds. */
const longestStart = 60

/**
 * Runs switches, lamps and relays until the signal aborts; returns at once where there are none.
 *
 * @param open makes the driver of a chip
 * @param clock of the stamps of its edges
 */
export async function watchSwitches(
  role: Role,
  signal: AbortSignal,
  open = digitalIo,
  clock: DriverClock = kernelClock,
): Promise<void> {
  const { digitalIo: chips } = role.configuration
  if (chips.length === 0) return
  const board = new SwitchBoard(role)
  const others = new OtherRoles(role)
  /** By chip. */
  const outputs = new Map<string, SwitchOutputs>()
  const show = (): void => {
    const faulty = role.parts.some(({ fault }) => fault !== null) || others.faulty
    const { enclosureOpen, powerFailed } = board
    const condition: GatewayCondition = { enclosureOpen, powerFailed, faulty, online: others.online }
    const causes: RelayCause[] = faulty ? board.causes : ['healthy', ...board.causes]
    for (const chip of outputs.values()) chip.show(statusOf(condition), causes, role.clock.monotonic())
  }
  const lookAfter = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      others.look()
      show()
      await role.clock.sleep(lookEvery, signal)
    }
  }
  const watchChip = async (settings: DigitalIoSettings, signal: AbortSignal): Promise<void> => {
    const { name, inputs } = settings
    const io = await open(settings)
    role.expect(name, longestStart, { steady: false })
    const driven = new SwitchOutputs(io, settings.outputs)
    outputs.set(name, driven)
    const quiet = new Map(inputs.map(({ line, debounceMilliseconds }) => [line, debounceMilliseconds / 1000]))
    const counts = { changes: 0, bounces: 0 }
    for await (const item of debounced(io, quiet, clock, signal)) {
      if (item.kind === 'state') {
        report(role, name, item)
        driven.begin(item.state === 'ready')
      } else {
        counts.changes += 1
        counts.bounces += item.bounces
        role.count(name, counts)
        const input = inputs.find(({ line }) => line === item.line)
        if (input !== undefined) board.take(input, item)
      }
      show()
    }
  }
  const keep = (name: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> =>
    keepGoing(role, { name, required: false, run }, signal)
  await Promise.all([
    keep('lamps and relays', lookAfter),
    ...chips.map(settings => keep(settings.name, own => watchChip(settings, own))),
  ])
  others.close()
}

/** The broker's absence has a pattern of its own. */
function isFaulty({ part, fault }: PartHealth): boolean {
  return fault !== null && part !== 'broker'
}

/** What the other roles say of themselves, for the lamp. */
class OtherRoles {
  readonly #role: Role
  readonly #uplink: ExchangeReader
  readonly #vision: ExchangeReader | null
  readonly #began: number
  online = false
  faulty = false

  constructor(role: Role) {
    const { paths } = role.configuration
    this.#role = role
    this.#began = role.clock.monotonic()
    this.#uplink = new ExchangeReader(rolePaths(paths, 'uplink').exchange)
    this.#vision = needsVision(role.configuration) ? new ExchangeReader(rolePaths(paths, 'vision').exchange) : null
  }

  look(): void {
    try {
      this.online = this.#said(this.#uplink, 'online') === 'true'
      const parts = [this.#uplink, ...(this.#vision === null ? [] : [this.#vision])].map(exchange => {
        const said = this.#said(exchange, healthKey)
        return said === undefined ? null : messageTypes.health.data.shape.parts.parse(JSON.parse(said))
      })
      // What is silent has failed, once it has had time to start.
      const silent = this.#role.clock.monotonic() - this.#began > longestSilence && parts.includes(null)
      this.faulty = silent || parts.some(each => each?.some(isFaulty))
    } catch (error) {
      this.#role.log.warn({ error: messageOf(error) }, 'what the other roles say of themselves cannot be read')
    }
  }

  close(): void {
    this.#uplink.close()
    this.#vision?.close()
  }

  #said(exchange: ExchangeReader, key: string): string | undefined {
    const said = exchange.get(key)
    if (said === undefined || this.#role.clock.system() - said.setAt > longestSilence) return undefined
    return said.body.toString('utf8')
  }
}
