import { FollowedFile } from './followed-file.js'
import { journalFormat } from './layout.js'

/** A record of the audit chain that tells of an access, as it is in the file: whether the chain holds is for `verifyChain`. */
export interface AccessRecord {
  /** Seconds since 1970 UTC. */
  readonly time: number
  readonly action: string
  readonly subject: string
  /** An object as JSON. */
  readonly detail: string
}

/** Reads the newest records of some actions in a journal's audit chain. */
export class AccessReader {
  readonly #file: FollowedFile<{ newest: (actions: string, limit: number) => AccessRecord[] }>

  constructor(path: string) {
    this.#file = new FollowedFile(path, journalFormat, connection => {
      const select = connection.prepare<[string, number], AccessRecord>(
        `SELECT time, action, subject, detail FROM audit WHERE action IN (SELECT value FROM json_each(?))
          ORDER BY number DESC LIMIT ?`,
      )
      return { newest: (actions, limit) => select.all(actions, limit) }
    })
  }

  /** At most `limit`, newest first; none while there is no file. Throws PW_JOURNAL_UNREADABLE. */
  newest(actions: readonly string[], limit: number): AccessRecord[] {
    return this.#file.read(({ newest }) => newest(JSON.stringify(actions), limit), [])
  }

  close(): void {
    this.#file.close()
  }
}
