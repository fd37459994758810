import { type Drive, sameDrive } from './drive.js'
import { ChildEnded, KeptChild } from './kept-child.js'

/** One output of a chip, held by `gpioset` of libgpiod 2: as Debian builds it, it takes no new level, and another has to follow it. */
export class HeldOutput {
  readonly #command: (drive: Drive) => { program: string; given: readonly string[] }
  readonly #failed: (error: unknown) => void
  #wanted: Drive
  #child: KeptChild | null = null
  #driving: Drive | null = null
  #stopped = false
  /** The change that is under way. */
  #work: Promise<void>

  /**
   * Begins to drive it at once.
   *
   * @param failed is called once with ChildEnded when the line cannot be held any longer
   */
  constructor(
    drive: Drive,
    command: (drive: Drive) => { program: string; given: readonly string[] },
    failed: (error: unknown) => void,
  ) {
    this.#wanted = drive
    this.#command = command
    this.#failed = failed
    this.#work = this.#follow()
  }

  /** Resolves when the line is driven as was asked last, or cannot be. */
  get driven(): Promise<void> {
    return this.#work
  }

  set(drive: Drive): void {
    if (sameDrive(drive, this.#wanted)) return
    this.#wanted = drive
    this.#work = this.#work.then(() => this.#follow())
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#child?.stop()
    await this.#work
  }

  async #follow(): Promise<void> {
    const drive = this.#wanted
    if (drive === this.#driving) return
    await this.#child?.stop()
    if (this.#stopped || drive !== this.#wanted) return
    const { program, given } = this.#command(drive)
    let drives = () => {}
    const driven = new Promise<void>(resolve => {
      drives = resolve
    })
    // The only thing that it says is that it drives the line.
    const child = new KeptChild(program, given, () => drives())
    this.#child = child
    this.#driving = drive
    child.ended.catch(error => {
      if (this.#child === child && !this.#stopped && drive === this.#wanted) this.#failed(error)
    })
    await Promise.race([driven, child.ended]).catch((error: unknown) => {
      if (!(error instanceof ChildEnded)) throw error
    })
  }
}
