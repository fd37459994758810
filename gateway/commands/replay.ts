import { createHash } from 'node:crypto'
import type { Command } from 'commander'
import type { StateReport } from '../../drivers/driver.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import { RecordedArray } from '../../drivers/microphone-array/recording.js'
import { systemClock } from '../../drivers/system-clock.js'
import { Hearing } from '../acoustics/hearing.js'
import type { GunfireRevision } from '../acoustics/incident.js'
import { locateShots } from '../acoustics/locate.js'
import type { PolewatchError } from '../errors.js'
import { sealEvent } from '../messages/seal.js'
import { formatStream } from '../messages/stream.js'
import { builtInPolicy, policyHash } from '../policy/policy.js'
import { geometryOf } from './devices.js'
import { driverError } from './driver-faults.js'
import { Ear } from './ear.js'
import { gunfireDraft } from './hearing-messages.js'
import { type RecordedGateway, type RecordingSet, readRecordingSet } from './recording-set.js'
import { printIncidents } from './replay-table.js'
import { exitStatus, ProgressBar, printError, printJson } from './terminal.js'

/** Virtual time goes on in such steps, and for so long after the last sound, seconds. */
const step = 0.1
const afterwards = 15
const epoch = 'replay'

export function define(command: Command): void {
  command
    .description(
      'Runs the hearing over the recordings of one or more gateways and shows what would have gone to the hub.',
    )
    .argument('<RECORDING.json>', 'a recording set (see docs/recording-sets.md)')
    .option('--json', 'the events as NDJSON, nothing else')
    .addHelpText('after', '\nExample:\n  polewatch replay scripts/demonstration/live-fire/recording.json')
    .action(async (file: string, { json }: { json?: boolean }) => {
      const set = readRecordingSet(file)
      const bar = new ProgressBar('Listening')
      const replay = await Replay.of(set, json ? event => printJson(event) : () => {})
      await replay.run(seconds => bar.note(`${seconds.toFixed(1)} s`))
      bar.end()
      if (!json) printIncidents(replay.revisions, set)
      for (const fault of replay.faults) process.exitCode = printError(fault, json === true)
      if (replay.faults.length === 0) process.exitCode = exitStatus.done
    })
}

interface Player {
  readonly gateway: RecordedGateway
  readonly ear: Ear
  readonly hearing: Hearing
  readonly blocks: AsyncIterator<AudioBlock | StateReport>
  next: AudioBlock | null
  published: number
}

/** All gateways of a set on one virtual clock, exchanging arrivals in no time. The same set gives the same events. */
class Replay {
  readonly revisions: GunfireRevision[] = []
  readonly faults: PolewatchError[] = []
  readonly #players: Player[]
  readonly #tell: (event: unknown) => void
  readonly #policy = policyHash(builtInPolicy, text => createHash('sha256').update(text).digest('hex'))

  private constructor(players: Player[], tell: (event: unknown) => void) {
    this.#tell = tell
    this.#players = players
  }

  static async of(set: RecordingSet, tell: (event: unknown) => void): Promise<Replay> {
    return new Replay(await Promise.all(set.gateways.map(gateway => player(gateway, set))), tell)
  }

  /** @param progress told the seconds of virtual time gone by */
  async run(progress: (seconds: number) => void): Promise<void> {
    for (const each of this.#players) each.next = await this.#nextBlock(each)
    let now = Math.min(...this.#players.map(({ next }) => next?.systemTime ?? Number.POSITIVE_INFINITY))
    if (!Number.isFinite(now)) return
    const beginning = now
    let ending = now
    while (now < ending + afterwards) {
      now += step
      for (const each of this.#players) {
        while (each.next !== null && blockEnd(each.next) <= now + 1e-6) {
          const { arrivals, heardUntil } = each.ear.take(each.next)
          each.hearing.hear(arrivals, heardUntil, now)
          ending = Math.max(ending, blockEnd(each.next))
          each.next = await this.#nextBlock(each)
          if (each.next === null) each.hearing.hear(each.ear.finish(), ending, now)
        }
        if (each.next !== null) ending = Math.max(ending, blockEnd(each.next))
      }
      this.#advance(now)
      progress(now - beginning)
    }
  }

  #advance(now: number): void {
    for (const each of this.#players) {
      const { report, due } = each.hearing.advance(now)
      for (const other of this.#players) {
        if (other === each) continue
        if (report !== null) other.hearing.receive(report, now)
        for (const { claim } of due) other.hearing.receiveClaim(claim, now)
      }
      for (const { revision } of due) this.#publish(each, revision, now)
    }
  }

  #publish(from: Player, revision: GunfireRevision, now: number): void {
    this.revisions.push(revision)
    const source = formatStream({ site: 'replay', gateway: from.gateway.id, role: 'sensing', priority: 'gunfire' })
    const draft = gunfireDraft(revision, { now, exercise: false, policy: this.#policy })
    const { bytes } = sealEvent(draft, { source, epoch, sequence: ++from.published }, null)
    this.#tell(JSON.parse(Buffer.from(bytes).toString('utf8')))
  }

  async #nextBlock({ blocks, gateway }: Player): Promise<AudioBlock | null> {
    for (;;) {
      const { done, value } = await blocks.next()
      if (done) return null
      if (value.kind === 'audio') return value
      if (value.fault !== null && value.fault !== 'recording-ended') {
        this.faults.push(driverError(value.fault, gateway.id, value.detail))
      }
    }
  }
}

async function player(gateway: RecordedGateway, set: RecordingSet): Promise<Player> {
  const geometry = await geometryOf(gateway.array)
  const array = new RecordedArray({
    name: gateway.array,
    files: [gateway.audio],
    startTime: gateway.startTime,
    pace: 'fast',
    channels: geometry.microphones.length,
    clock: systemClock,
  })
  return {
    gateway,
    ear: new Ear({
      gateway: gateway.id,
      epoch,
      fullScaleLevel: geometry.soundLevelAtFullScale,
      clock: { offset: 0, error: gateway.timeError },
    }),
    hearing: new Hearing({
      gateway: gateway.id,
      epoch,
      position: gateway.position,
      positionError: gateway.positionError,
      weather: set.weather,
      locate: locateShots,
      heartbeat: 0,
      loneSalience: 1000,
    }),
    blocks: array.readings(new AbortController().signal)[Symbol.asyncIterator](),
    next: null,
    published: 0,
  }
}

function blockEnd(block: AudioBlock): number {
  return block.systemTime + (block.channels[0]?.length ?? 0) / block.sampleRate
}
