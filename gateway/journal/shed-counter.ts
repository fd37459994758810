import { FollowedFile } from './followed-file.js'
import { journalFormat } from './layout.js'

interface Counted {
  readonly epoch: string
  /** Records of the audit chain up to this one are counted. */
  readonly through: number
  readonly alerts: number
}

/**
 * Counts the alerts that a journal has given up, or lost with a damaged file, as far back as its audit chain goes. The chain keeps every such loss for as long as
 * the policy says, also when the hub knows of it and the ranges themselves are forgotten. Cheap to ask often: each record is
 * looked at once, and what has been counted stays so when its record is deleted.
 */
export class ShedCounter {
  readonly #file: FollowedFile<(known: Counted | null) => Counted>
  #version: string | undefined
  #known: Counted | null = null

  constructor(path: string) {
    this.#file = new FollowedFile(path, journalFormat, connection => {
      const epochOf = connection.prepare<[], string>('SELECT epoch FROM journal').pluck()
      const newest = connection.prepare<[], number>('SELECT coalesce(max(number), 0) FROM audit').pluck()
      const shed = connection
        .prepare<[number], number>(
          `SELECT coalesce(sum(json_extract(detail, '$.alerts')), 0) FROM audit WHERE number > ? AND action IN ('shed', 'alerts-lost')`,
        )
        .pluck()
      return known => {
        const epoch = epochOf.get() ?? ''
        const before = known?.epoch === epoch ? known : { through: 0, alerts: 0 }
        return { epoch, through: newest.get() ?? 0, alerts: before.alerts + (shed.get(before.through) ?? 0) }
      }
    })
  }

  /** 0 while there is no file. @throws PolewatchError PW_JOURNAL_UNREADABLE */
  get alerts(): number {
    const version = this.#file.version()
    if (version === undefined || version !== this.#version) {
      this.#version = version
      this.#known = this.#file.read<Counted | null>(count => count(this.#known), null)
    }
    return this.#known?.alerts ?? 0
  }

  close(): void {
    this.#file.close()
  }
}
