import { setMaxListeners } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ChronyAsker } from '../../../gateway/commands/ask-chrony.js'
import { CueBoard } from '../../../gateway/commands/cues.js'
import { evidenceStore } from '../../../gateway/commands/evidence-files.js'
import { hear } from '../../../gateway/commands/hear.js'
import { MeasuredAir } from '../../../gateway/commands/measured-air.js'
import { readPlates } from '../../../gateway/commands/read-plates.js'
import { Role } from '../../../gateway/commands/role.js'
import { tellHealth } from '../../../gateway/commands/role-health.js'
import { watchSwitches } from '../../../gateway/commands/switches.js'
import { watchBoards } from '../../../gateway/commands/watch-boards.js'
import { watchCamera } from '../../../gateway/commands/watch-camera.js'
import { watchPosition } from '../../../gateway/commands/watch-position.js'
import { editConfiguration } from '../../../gateway/config/edit.js'
import { parseConfiguration } from '../../../gateway/config/load.js'
import { loadPolicy } from '../../../gateway/config/policy-file.js'
import type { Configuration } from '../../../gateway/config/schema.js'
import type { EventDraft } from '../../../gateway/messages/table.js'
import { Random } from '../../../scripts/simulator/random.js'
import { drawEpisodes, type Episode } from './episodes.js'
import { EventTime } from './event-time.js'
import { clockOf, complaints, type ToldFault } from './judge.js'
import { deviceSettings, TroubledPole, troubles } from './pole.js'

export interface FaultDayOptions {
  readonly seed: number
  /** Of the day. */
  readonly hours: number
  /** Told of each simulated hour. */
  readonly progress?: (hour: number, told: number) => void
}

export interface FaultDayResult {
  readonly episodes: readonly Episode[]
  readonly told: readonly ToldFault[]
  /** By part: what it has delivered. */
  readonly delivered: Readonly<Record<string, number>>
  /** After a quarter of the day and at its end: bytes of the heap, open files, and tasks that sleep. */
  readonly held: readonly { readonly heap: number; readonly files: number; readonly sleepers: number }[]
  /** What is wrong; nothing when the day went as it should. */
  readonly complaints: readonly string[]
}

/** The heap may grow by this from a quarter of the day to its end, bytes: what is kept of the last two hours fills it in a short day. */
const heapGrowth = 6 * 1024 * 1024
/** What is looked at every minute of the day. */
const lookEvery = 60
/** What a gateway writes in a day would be written to a disk in minutes. */
const memory = '/dev/shm'
const begin = Date.UTC(2026, 2, 1, 5) / 1000

/** Notes every fault with the moment of the day at which it was told. */
class NotedRole extends Role {
  readonly told: ToldFault[] = []

  override async append(draft: EventDraft) {
    if (draft.name === 'fault') {
      const { part, fault, state } = draft.data
      this.told.push({ at: this.clock.monotonic(), part, fault, state })
    }
    return super.append(draft)
  }
}

/**
 * A day of a pole whose devices are unplugged, fall silent, make noise and break, all at once, and whose clock is set: everything
 * runs through the drivers and the supervision of the gateway, as fast as it goes. What is judged is what the hub would be told.
 */
export async function faultDay({ seed, hours, progress = () => {} }: FaultDayOptions): Promise<FaultDayResult> {
  const folder = mkdtempSync(join(existsSync(memory) ? memory : tmpdir(), 'polewatch-fault-day-'))
  const time = new EventTime(begin)
  const random = new Random(seed)
  const seconds = hours * 3600
  const episodes = drawEpisodes(troubles, seconds, random.fork('episodes'))
  const configuration = configurationIn(folder)
  const roles = [new NotedRole('sensing', configuration, time), new NotedRole('uplink', configuration, time)] as const
  const [role, uplink] = roles
  const told = (): ToldFault[] => roles.flatMap(each => each.told).sort((one, other) => one.at - other.at)
  const collectGarbage = garbageCollector()
  const wrong: string[] = []
  const held: { heap: number; files: number; sleepers: number }[] = []
  const look = async (): Promise<void> => {
    await collectGarbage()
    const { heapUsed: heap } = process.memoryUsage()
    held.push({ heap, files: readdirSync('/proc/self/fd').length, sleepers: time.sleepers })
  }
  try {
    const controller = new AbortController()
    // Every part of the gateway sleeps on it.
    setMaxListeners(0, controller.signal)
    const pole = new TroubledPole(time, episodes, random.fork('pole'), seconds)
    const asking = new ChronyAsker(uplink, pole.askChrony).ask(controller.signal)
    const running = Promise.all([run(role, pole, controller.signal), asking]).catch((error: unknown) => {
      wrong.push(`the gateway has crashed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    })
    const overdue = new Set<string>()
    for (let now = lookEvery; now <= seconds && wrong.length === 0; now += lookEvery) {
      await time.runUntil(now)
      for (const part of role.overdue) {
        if (!overdue.has(part)) wrong.push(`${clockOf(now)} ${part} is stuck: it is silent and does not say why`)
        overdue.add(part)
      }
      if (now % 3600 < lookEvery) progress(Math.round(now / 3600), told().length)
      if (held.length === 0 && now >= seconds / 4) await look()
    }
    await look()
    for (const { part, state, fault } of roles.flatMap(each => each.parts)) {
      if (state !== 'ready') wrong.push(`${part} is ${state} at the end of the day: ${fault}`)
    }
    const delivered = Object.fromEntries(role.parts.flatMap(deliveredBy))
    controller.abort()
    await running
    const [first, last] = held
    if (first !== undefined && last !== undefined) {
      if (last.heap - first.heap > heapGrowth)
        wrong.push(`the heap has grown by ${mebibytes(last.heap - first.heap)} MiB`)
      if (last.files > first.files) wrong.push(`${last.files - first.files} files more are open than before`)
    }
    return { episodes, told: told(), delivered, held, complaints: [...wrong, ...complaints(episodes, told())] }
  } finally {
    for (const each of roles) each.close()
    rmSync(folder, { recursive: true })
  }
}

function configurationIn(folder: string): Configuration {
  mkdirSync(join(folder, 'run'))
  const example = readFileSync(join(process.cwd(), 'firmware-config', 'polewatch.example.yaml'), 'utf8')
  const text = editConfiguration(example, [
    { path: ['paths'], value: { state: join(folder, 'state'), runtime: join(folder, 'run') } },
    { path: ['hotlist'], value: undefined },
    { path: ['commands'], value: undefined },
    { path: ['policyFile'], value: undefined },
    { path: ['uplink'], value: { brokers: ['mqtt://127.0.0.1:1'], acknowledge: 'broker' } },
    { path: ['neighbours'], value: { enabled: false } },
    { path: ['log'], value: { level: 'fatal' } },
    ...deviceSettings,
  ])
  return parseConfiguration(text, join(folder, 'gateway.yaml'))
}

/** Everything that watches devices in a gateway, the camera included, in one process. */
async function run(role: Role, pole: TroubledPole, signal: AbortSignal): Promise<void> {
  const policy = loadPolicy(null)
  const evidence = evidenceStore(role.configuration, policy.policy, 'sensing')
  const air = new MeasuredAir(role.configuration.weather)
  const [camera] = role.configuration.cameras
  const seeing =
    camera === undefined
      ? undefined
      : watchCamera(
          role,
          { take: async () => {} },
          { settings: camera, camera: pole.camera(), pictures: evidence, cues: new CueBoard() },
          signal,
        )
  await Promise.all([
    tellHealth(role, signal),
    hear(role, policy, evidence, air, null, signal, settings => pole.array(settings)),
    readPlates(role, policy, signal, async settings => pole.reader(settings)),
    watchPosition(role, signal, (_, name) => pole.receiver(name)),
    watchSwitches(role, signal, async () => pole.switches, pole.time),
    watchBoards(role, air, signal, async () => pole.board),
    seeing,
    pole.live(signal),
  ])
}

function deliveredBy({ part, counters }: Role['parts'][number]): [string, number][] {
  const count = counters.blocks ?? counters.received ?? counters.fixes ?? counters.changes ?? counters.frames
  return count === undefined ? [] : [[part, count]]
}

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1)
}

function garbageCollector(): () => Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect !== 'function') throw new Error('this Node.js has no garbage collector to call')
  return async () => {
    // What finalizers let go of is collected the next time.
    for (let round = 0; round < 3; round += 1) {
      collect()
      await new Promise(resolve => setTimeout(resolve, 10))
    }
  }
}
