import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import type { StateReport } from '../../drivers/driver.js'
import type { ArrayGeometry } from '../../drivers/microphone-array/geometry.js'
import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import { RecordedArray } from '../../drivers/microphone-array/recording.js'
import { systemClock } from '../../drivers/system-clock.js'
import type { Arrival } from '../acoustics/arrival.js'
import { Hearing, usualLoneSalience } from '../acoustics/hearing.js'
import type { GunfireRevision } from '../acoustics/incident.js'
import { locateShots } from '../acoustics/locate.js'
import type { DistrustChange } from '../acoustics/trust.js'
import { deviceNames } from '../config/load.js'
import { PolewatchError } from '../errors.js'
import { sealEvent } from '../messages/seal.js'
import { formatStream } from '../messages/stream.js'
import { builtInPolicy, policyHash } from '../policy/policy.js'
import { arrayDirection } from './array-direction.js'
import { geometryOf } from './devices.js'
import { distrustDraft, distrustError } from './distrust.js'
import { driverError } from './driver-faults.js'
import { Ear } from './ear.js'
import { gunfireDraft } from './hearing-messages.js'
import { recordingLength } from './recording-length.js'
import { type RecordedGateway, type RecordingSet, readRecordingSet } from './recording-set.js'
import { checkPlotFile, drawReplay, writePlot } from './replay-plot.js'
import { type HeardGateway, ReplayRecorder } from './replay-recorder.js'
import { printIncidents } from './replay-table.js'
import { exitStatus, ProgressBar, print, printError, printJson } from './terminal.js'

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
    .option('--plot <FILE.svg>', 'draws a map of what was found and what each channel heard')
    .addHelpText(
      'after',
      [
        '',
        'Example:',
        '  polewatch replay --plot replay.svg scripts/demonstration/live-fire/recording.json',
        '',
        'A browser shows the picture. As PNG: rsvg-convert --zoom 2 --output replay.png replay.svg (Debian: librsvg2-bin).',
      ].join('\n'),
    )
    .action(async (file: string, { json, plot }: { json?: boolean; plot?: string }) => {
      if (plot !== undefined) checkPlotFile(plot)
      const set = readRecordingSet(file)
      const bar = new ProgressBar('Listening')
      const replay = await Replay.of(set, json ? event => printJson(event) : () => {}, plot !== undefined)
      await replay.run(share => bar.update(share))
      bar.end()
      if (!json && set.gateways.length === 0) print('The set has no gateways.')
      else if (!json) printIncidents(replay.revisions, set)
      if (!json) for (const change of replay.distrusted()) printError(distrustError(change), false)
      for (const fault of replay.faults) process.exitCode = printError(fault, json === true)
      if (replay.faults.length === 0) process.exitCode = exitStatus.done
      if (plot === undefined) return
      const name = join(basename(dirname(resolve(file))), basename(file))
      writePlot(plot, drawReplay(name, set, replay.revisions, replay.heard()))
      if (!json) print(`The picture is in ${plot}.`)
    })
}

interface Player {
  readonly gateway: RecordedGateway
  readonly ear: Ear | null
  readonly hearing: Hearing
  readonly blocks: AsyncIterator<AudioBlock | StateReport> | null
  readonly channels: number
  /** Why it cannot listen at all. */
  readonly fault: PolewatchError | null
  /** UTC at which the recording ends; null until it has been read, or where its header does not say. */
  end: number | null
  next: AudioBlock | null
  published: number
  faultsTold: number
}

/** All gateways of a set on one virtual clock, exchanging arrivals in no time. The same set gives the same events. */
class Replay {
  readonly revisions: GunfireRevision[] = []
  readonly faults: PolewatchError[] = []
  readonly #distrust = new Map<string, DistrustChange>()
  readonly #players: Player[]
  readonly #tell: (event: unknown) => void
  readonly #recorder: ReplayRecorder | null
  readonly #policy = policyHash(builtInPolicy, text => createHash('sha256').update(text).digest('hex'))

  private constructor(players: Player[], tell: (event: unknown) => void, record: boolean) {
    this.#tell = tell
    this.#players = players
    this.#recorder = record ? new ReplayRecorder(players) : null
    for (const { gateway, fault } of players) if (fault !== null) this.#fault(gateway, fault)
  }

  /** @param record whether what a picture needs is kept */
  static async of(set: RecordingSet, tell: (event: unknown) => void, record: boolean): Promise<Replay> {
    return new Replay(await Promise.all(set.gateways.map(gateway => playerOf(gateway, set))), tell, record)
  }

  /** What each gateway heard; empty unless it was recorded. */
  heard(): HeardGateway[] {
    return this.#recorder?.heard() ?? []
  }

  /** Gateways that at least one other still distrusts at the end. */
  distrusted(): DistrustChange[] {
    return [...this.#distrust.values()].filter(({ state }) => state === 'raised')
  }

  /** @param progress told the share of the work that is done, 0 to 1 */
  async run(progress: (share: number) => void): Promise<void> {
    for (const each of this.#players) each.next = await this.#nextBlock(each)
    let now = Math.min(...this.#players.map(({ next }) => next?.systemTime ?? Number.POSITIVE_INFINITY))
    if (!Number.isFinite(now)) return
    const beginning = now
    let ending = now
    const expectedEnding = Math.max(now, ...this.#players.map(({ end }) => end ?? now))
    while (now < ending + afterwards) {
      now += step
      for (const each of this.#players) {
        while (each.next !== null && blockEnd(each.next) <= now + 1e-6) {
          ending = Math.max(ending, blockEnd(each.next))
          const listened = this.#listen(each, each.next, now)
          each.next = listened ? await this.#nextBlock(each) : null
          if (listened && each.next === null) this.#hear(each, each.ear?.finish() ?? [], ending, now)
        }
        if (each.next !== null) ending = Math.max(ending, blockEnd(each.next))
      }
      this.#advance(now)
      progress(Math.min(1, (now - beginning) / (Math.max(ending, expectedEnding) + afterwards - beginning)))
    }
  }

  /** Whether the sound can be listened to; if not, that gateway is deaf and the others go on. */
  #listen(each: Player, block: AudioBlock, now: number): boolean {
    if (each.ear === null) return false
    this.#recorder?.sound(each.gateway.id, block)
    try {
      const { arrivals, heardUntil } = each.ear.take(block)
      this.#hear(each, arrivals, heardUntil, now)
      return true
    } catch (error) {
      if (!(error instanceof PolewatchError)) throw error
      this.#fault(each.gateway, error)
      return false
    }
  }

  #hear(each: Player, arrivals: readonly Arrival[], heardUntil: number, now: number): void {
    each.hearing.hear(arrivals, heardUntil, now)
    this.#recorder?.arrivals(each.gateway.id, arrivals)
  }

  #fault(gateway: RecordedGateway, fault: PolewatchError): void {
    this.faults.push(fault)
    this.#recorder?.fault(gateway.id, fault)
  }

  #advance(now: number): void {
    for (const each of this.#players) {
      const { report, due, distrust } = each.hearing.advance(now)
      for (const other of this.#players) {
        if (other === each) continue
        if (report !== null) other.hearing.receive(report, now)
        for (const { claim } of due) other.hearing.receiveClaim(claim, now)
      }
      for (const { revision } of due) this.#publish(each, revision, now)
      for (const change of distrust) this.#publishDistrust(each, change, now)
    }
  }

  #publish(from: Player, revision: GunfireRevision, now: number): void {
    this.revisions.push(revision)
    const source = formatStream({ site: 'replay', gateway: from.gateway.id, role: 'sensing', priority: 'gunfire' })
    const draft = gunfireDraft(revision, { now, exercise: false, policy: this.#policy })
    const { bytes } = sealEvent(draft, { source, epoch, sequence: ++from.published }, null)
    this.#tell(JSON.parse(Buffer.from(bytes).toString('utf8')))
  }

  #publishDistrust(from: Player, change: DistrustChange, now: number): void {
    const { id } = from.gateway
    this.#distrust.set(`${change.gateway} ${change.fault.kind}`, change)
    const source = formatStream({ site: 'replay', gateway: id, role: 'sensing', priority: 'fault' })
    const { bytes } = sealEvent(distrustDraft(change, id, now), { source, epoch, sequence: ++from.faultsTold }, null)
    this.#tell(JSON.parse(Buffer.from(bytes).toString('utf8')))
  }

  async #nextBlock({ blocks, gateway }: Player): Promise<AudioBlock | null> {
    for (; blocks !== null; ) {
      const { done, value } = await blocks.next()
      if (done) return null
      if (value.kind === 'audio') return value
      if (value.fault !== null && value.fault !== 'recording-ended') {
        this.#fault(gateway, driverError(value.fault, gateway.id, value.detail))
      }
    }
    return null
  }
}

/** A gateway whose array is not known has a place, but no ears; the others go on without it. */
async function playerOf(gateway: RecordedGateway, set: RecordingSet): Promise<Player> {
  const hearing = new Hearing({
    gateway: gateway.id,
    epoch,
    position: gateway.position,
    positionError: gateway.positionError,
    weather: set.weather,
    locate: locateShots,
    heartbeat: 0,
    loneSalience: usualLoneSalience,
  })
  const rest = { gateway, hearing, end: null, next: null, published: 0, faultsTold: 0 }
  const geometry = await recordedGeometry(gateway)
  if (geometry instanceof PolewatchError) return { ...rest, channels: 1, ear: null, blocks: null, fault: geometry }
  const channels = geometry.microphones.length
  const array = new RecordedArray({
    name: gateway.array,
    files: [gateway.audio],
    startTime: gateway.startTime,
    pace: 'fast',
    channels,
    clock: systemClock,
    readFile: async path => {
      const bytes = await readFile(path)
      const length = recordingLength(bytes)
      player.end = length === null ? null : gateway.startTime + length
      return bytes
    },
  })
  const player: Player = {
    ...rest,
    channels,
    fault: null,
    ear: new Ear({
      gateway: gateway.id,
      part: `the gateway ${gateway.id}`,
      epoch,
      fullScaleLevel: geometry.soundLevelAtFullScale,
      clock: () => ({ offset: 0, error: gateway.timeError }),
      direction: await arrayDirection(geometry, gateway.heading, set.weather),
    }),
    blocks: array.readings(new AbortController().signal)[Symbol.asyncIterator](),
  }
  return player
}

async function recordedGeometry({ id, array }: RecordedGateway): Promise<ArrayGeometry | PolewatchError> {
  try {
    return await geometryOf(array)
  } catch (error) {
    if (!(error instanceof PolewatchError)) throw error
    const known = deviceNames(devicesFolder).microphoneArrays.join(', ')
    return new PolewatchError(
      'PW_RECORDING_ARRAY',
      { gateway: id, why: error.details.why ?? error.message, known },
      error,
    )
  }
}

function blockEnd(block: AudioBlock): number {
  return block.systemTime + (block.channels[0]?.length ?? 0) / block.sampleRate
}
