import { randomBytes } from 'node:crypto'
import type { Camera } from '../../drivers/camera/camera.js'
import type { CameraSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { keepGoing } from '../health/keep-going.js'
import { sweep } from '../health/role-environment.js'
import type { EvidenceStore } from '../journal/evidence-store.js'
import type { Policy } from '../policy/policy.js'
import { glanceAt } from '../vision/glance.js'
import type { PassageReport } from '../vision/passage-tracker.js'
import { encodeJpeg, type Picture } from '../vision/picture.js'
import { PlateEye } from '../vision/plate-eye.js'
import { CameraCheck } from './camera-check.js'
import { camera } from './camera-devices.js'
import type { CueBoard } from './cues.js'
import { evidenceStore, keepEvidence } from './evidence-files.js'
import type { PlateDesk, Sight } from './plate-desk.js'
import type { Role } from './role.js'
import { report } from './role-health.js'

/** An unconfirmed read stays this far below what a hit calls a confirmed candidate. */
const margin = 0.01
/** A camera that neither gives a picture nor says why for so long hangs, seconds; its driver tells a silent one much sooner. */
const longestSilence = 60
/** Seconds between tries to read a camera's password. */
const tryAgainEvery = 5

/**
 * Runs the cameras until the signal aborts.
 *
 * @param open makes the driver of a camera
 */
export async function watchCameras(
  role: Role,
  desk: Pick<PlateDesk, 'take'>,
  policy: Policy,
  cues: CueBoard,
  signal: AbortSignal,
  open = camera,
): Promise<void> {
  const { cameras } = role.configuration
  const pictures = evidenceStore(role.configuration, policy, 'vision')
  await Promise.all(
    cameras.map(settings => {
      // It outlives the driver: who raised a fault is who clears it.
      const check = new CameraCheck(settings.name, role)
      const run = async (own: AbortSignal): Promise<void> => {
        const camera = await opened(role, () => open(settings), settings.name, own)
        if (camera !== null) await watchCamera(role, desk, { settings, camera, pictures, cues, check }, own)
      }
      return keepGoing(role, { name: settings.name, required: true, run }, signal)
    }),
  )
}

/** One whose password cannot be read is tried again until it can, so that the others go on; null when the signal aborts. */
async function opened(role: Role, open: () => Camera, name: string, signal: AbortSignal): Promise<Camera | null> {
  while (!signal.aborted) {
    try {
      return open()
    } catch (error) {
      if (!(error instanceof PolewatchError)) throw error
      role.raise(name, 'faulty', 'device-refused', error.message, error.code)
      await role.clock.sleep(tryAgainEvery, signal)
    }
  }
  return null
}

/** Runs one camera until the signal aborts or its video has ended. */
export async function watchCamera(
  role: Role,
  desk: Pick<PlateDesk, 'take'>,
  given: { settings: CameraSettings; camera: Camera; pictures: EvidenceStore; cues: CueBoard; check?: CameraCheck },
  signal: AbortSignal,
): Promise<void> {
  const { settings, camera, pictures, cues } = given
  const { name } = settings
  const { hotlist } = role.configuration
  const { check = new CameraCheck(name, role) } = given
  const eye = new PlateEye({
    nextId: () => `${name}-${randomBytes(6).toString('hex')}`,
    sureAtOnce: settings.minimumConfidence,
  })
  cues.add(settings, until => eye.lookUntil(until))
  // A picture is encoded and named once, however often its passage is told.
  const prepared = new WeakMap<Picture, Promise<Sight['picture']>>()
  // A recorded street ends.
  if (settings.driver !== 'video') role.expect(name, longestSilence)
  let dropped = 0
  const tell = async (passages: readonly PassageReport[]): Promise<void> => {
    for (const passage of passages) {
      const { passage: id, stage: phase, rawText, picture } = passage
      const portrait = prepared.get(picture) ?? pictureOf(role, picture, pictures)
      prepared.set(picture, portrait)
      const sight: Sight = { passage: id, phase, rawText, picture: await portrait }
      const read = plateRead(passage, settings, hotlist.confirmedConfidence)
      // Logged by the role; the next frames must not wait for a disk that is full.
      desk.take(read, { ...settings, lane: read.lane, minimumConfidence: 0 }, sight).catch(() => {})
    }
  }
  for await (const reading of camera.readings(signal)) {
    if (reading.kind === 'state') {
      report(role, name, reading)
      if (reading.state !== 'ready') await tell(eye.finish())
      continue
    }
    role.delivered(name)
    dropped += reading.dropped
    const glance = glanceAt(reading)
    check.see(glance, role.clock.monotonic())
    const { looked } = eye.counts
    await tell(await eye.see(reading, glance, reading.systemTime))
    if (eye.counts.looked > looked) sweep()
    role.count(name, { ...eye.counts, dropped })
  }
  await tell(eye.finish())
}

/** A passage as the desk takes it: what the characters alone do not confirm is never sure enough for a confirmed candidate. */
function plateRead(passage: PassageReport, settings: CameraSettings, confirmedConfidence: number) {
  const { text, confirmed, confidence, direction, time } = passage
  return {
    kind: 'plate' as const,
    text,
    confidence: confirmed ? confidence : Math.max(0, Math.min(confidence, confirmedConfidence - margin)),
    country: null,
    state: null,
    lane: settings.lane ?? laneAt(settings.lanes, passage.across),
    direction: settings.direction ?? direction,
    readerTime: null,
    systemTime: time,
    discarded: { frames: 0, bytes: 0, reads: 0 },
  }
}

function laneAt(lanes: CameraSettings['lanes'], across: number): string | null {
  return lanes.find(({ from, to }) => from <= across && across < to)?.name ?? null
}

/** The picture of a plate, in memory until the desk keeps it for a hit. */
async function pictureOf(role: Role, picture: Picture, pictures: EvidenceStore): Promise<Sight['picture']> {
  const jpeg = await encodeJpeg(picture)
  const id = `plate-${randomBytes(8).toString('hex')}`
  return { id, keep: () => keepEvidence(role, pictures, id, jpeg) }
}
