import { randomBytes } from 'node:crypto'
import type { ArrayGeometry } from '../../drivers/microphone-array/geometry.js'
import { Hearing, usualLoneSalience } from '../acoustics/hearing.js'
import type { GunfireRevision } from '../acoustics/incident.js'
import { locateShots } from '../acoustics/locate.js'
import type { DistrustChange } from '../acoustics/trust.js'
import type { PolicyInForce } from '../config/policy-file.js'
import type { MicrophoneArraySettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { faultPart, keepGoing } from '../health/keep-going.js'
import type { EvidenceStore } from '../journal/evidence-store.js'
import type { Post } from '../journal/exchange.js'
import { openEvent } from '../messages/seal.js'
import { audioSecondsAllowed, keepSeconds } from '../policy/policy.js'
import { arrayDirection } from './array-direction.js'
import { geometryOf, microphoneArray } from './devices.js'
import { clearedSentence, distrustError, distrustedPart, distrustFault } from './distrust.js'
import { Ear } from './ear.js'
import { keepEvidence } from './evidence-files.js'
import { FollowedClock } from './follow-clock.js'
import { arrivalDraft, claimDraft, claimOf, gunfireDraft, neighbourReport } from './hearing-messages.js'
import type { MeasuredAir } from './measured-air.js'
import { frontOf, MicrophoneCheck } from './microphone-check.js'
import type { EvidenceReference } from './plate-hit.js'
import type { Role } from './role.js'
import { report } from './role-health.js'
import { SensitivityMemory } from './sensitivity-memory.js'
import { SoundClips } from './sound-clips.js'
import { SoundReporter } from './sound-report.js'
import { followPosts } from './uplink-posts.js'

/** How often the hearing looks whether something is due, seconds. */
const tick = 0.1

/** A microphone array that neither delivers sound nor says why for so long hangs, seconds. */
const longestSilence = 20

/**
 * Listens to the role's arrays and reports what it hears until the signal aborts, by the clock of the role.
 *
 * @param startAt when recordings begin to play, seconds since 1970 UTC; null for the moment they are first read
 * @param open makes the driver of an array
 */
export async function hear(
  role: Role,
  { policy, hash }: PolicyInForce,
  store: EvidenceStore,
  air: MeasuredAir,
  startAt: number | null,
  signal: AbortSignal,
  open = microphoneArray,
): Promise<void> {
  const { gateway, microphoneArrays, weather, exercise, neighbours, paths } = role.configuration
  const epoch = randomBytes(4).toString('hex')
  const clock = new FollowedClock(role)
  const sounds = new SoundReporter(role)
  const clipSeconds = keepSeconds(policy, 'audio') > 0 ? audioSecondsAllowed(policy) : 0
  const clips = clipSeconds > 0 ? new SoundClips(clipSeconds) : null
  const { error: positionError, ...position } = gateway.position
  const hearing = new Hearing({
    gateway: gateway.id,
    epoch,
    position,
    positionError,
    weather,
    locate: locateShots,
    heartbeat: 10,
    loneSalience: usualLoneSalience,
  })
  const listened = new Set<number>()
  /** By array. They outlive its driver: who raised a fault is who clears it. */
  const checks = new Map<string, MicrophoneCheck>()
  const checkOf = async (settings: MicrophoneArraySettings, geometry: ArrayGeometry): Promise<MicrophoneCheck> => {
    const { name } = settings
    const memory = () => new SensitivityMemory(paths.state, name, settings.geometry, message => role.log.warn(message))
    const check = checks.get(name) ?? (await MicrophoneCheck.of(name, role, geometry, memory()))
    checks.set(name, check)
    check.begin()
    return check
  }
  /** When each array was last heard, seconds of the monotonic clock. */
  const heardAt = new Map<string, number>()
  /** An array that fails for good must not take one with it that hears. */
  const onlyEar = (name: string): boolean => {
    const now = role.clock.monotonic()
    const failing = role.parts.flatMap(({ part, fault }) => (fault === null ? [] : [part]))
    return ![...heardAt].some(
      ([other, at]) => other !== name && now - at < longestSilence && !failing.includes(faultPart(other)),
    )
  }
  const listen = async (settings: MicrophoneArraySettings, index: number, signal: AbortSignal): Promise<void> => {
    // No two arrivals have one id, also when the array is listened to anew.
    const first = index === 0 && !listened.has(index)
    listened.add(index)
    const geometry = await geometryOf(settings.geometry)
    // Silence in a recording is no dead microphone.
    const microphones = settings.driver === 'recording' ? null : await checkOf(settings, geometry)
    const ear = new Ear({
      gateway: gateway.id,
      part: settings.name,
      epoch: first ? epoch : randomBytes(4).toString('hex'),
      fullScaleLevel: geometry.soundLevelAtFullScale,
      clock: () => clock.status(),
      direction: await arrayDirection(geometry, settings.heading, weather),
      impulse: snippet => microphones?.impulse(frontOf(snippet)),
      onset: (arrival, snippet) => sounds.impulse(settings.name, arrival, snippet),
    })
    const array = await open(settings, startAt)
    // A recording may begin later and ends; a microphone never stops.
    if (settings.driver !== 'recording') role.expect(settings.name, longestSilence)
    const heard = { blocks: 0, gaps: 0, lostSamples: 0 }
    let expected: number | null = null
    for await (const reading of array.readings(signal)) {
      if (reading.kind === 'state') report(role, settings.name, reading)
      else {
        role.delivered(settings.name)
        heardAt.set(settings.name, role.clock.monotonic())
        heard.blocks++
        if (expected !== null && reading.firstSample > expected) {
          heard.gaps++
          heard.lostSamples += reading.firstSample - expected
        }
        expected = reading.firstSample + (reading.channels[0]?.length ?? 0)
        role.count(settings.name, heard)
        microphones?.hear(reading)
        sounds.hear(settings.name, reading.channels)
        try {
          const { arrivals, heardUntil, soundUntil } = ear.take(reading)
          const [front] = reading.channels
          if (index === 0 && front !== undefined) clips?.hear(front, reading.sampleRate, soundUntil)
          hearing.hear(arrivals, heardUntil, role.clock.system())
        } catch (error) {
          if (!(error instanceof PolewatchError)) throw error
          role.raise(settings.name, 'faulty', 'wrong-sample-rate', error.message, error.code)
        }
      }
    }
  }
  // Earlier revisions are told without waiting for the sound of what may yet come.
  const keepClip = (revision: GunfireRevision): EvidenceReference | null => {
    const clip = revision.state === 'final' ? clips?.of(revision, gateway.id) : null
    return clip == null ? null : keepEvidence(role, store, `sound-${randomBytes(8).toString('hex')}`, clip)
  }
  const decide = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const now = role.clock.system()
      const { temperatureError, ...measured } = air.weather(role.clock.monotonic())
      hearing.setWeather({ ...measured, ...(temperatureError === undefined ? {} : { temperatureError }) })
      const { report: own, due, distrust } = hearing.advance(now)
      for (const change of distrust) tellDistrust(role, change)
      if (own !== null)
        role.post(arrivalDraft(own, { now, exercise, clockError: clock.status().error, weather: measured }))
      for (const { revision, claim } of due) {
        role.post(claimDraft(claim, revision, { now, exercise }))
        // A revision that the disk refused is logged and counted there; the next one carries the same and more.
        role
          .append(gunfireDraft(revision, { now, exercise, policy: hash, evidence: keepClip(revision) }))
          .catch(() => {})
      }
      await role.clock.sleep(tick, signal)
    }
  }
  const keep = (
    name: string,
    run: (signal: AbortSignal) => Promise<void>,
    required: boolean | (() => boolean) = false,
  ): Promise<void> => keepGoing(role, { name, required, run }, signal)
  const work = microphoneArrays.map((settings, index) =>
    keep(
      settings.name,
      signal => listen(settings, index, signal),
      () => onlyEar(settings.name),
    ),
  )
  work.push(keep('followed clock', signal => clock.follow(signal)))
  if (microphoneArrays.length > 0) {
    work.push(keep('hearing', decide, true))
    work.push(keep('sound levels', signal => sounds.tell(signal)))
  }
  if (neighbours.enabled) work.push(keep("neighbours' arrivals", signal => hearNeighbours(role, hearing, signal)))
  await Promise.all(work)
}

function tellDistrust(role: Role, change: DistrustChange): void {
  const part = distrustedPart(change, role.configuration.gateway.id)
  const { code, message } = distrustError(change)
  if (change.state === 'raised') role.raise(part, 'faulty', distrustFault(change), message, code)
  else role.ready(part, clearedSentence(change))
}

/** Takes what uplink lets in from the neighbours. Uplink has checked signatures; the shape is checked again here. */
async function hearNeighbours(role: Role, hearing: Hearing, signal: AbortSignal): Promise<void> {
  const take = ({ body }: Post): void => {
    const event = openEvent(body)
    if (event.name === 'arrival') hearing.receive(neighbourReport(event.data), role.clock.system())
    if (event.name === 'claim') hearing.receiveClaim(claimOf(event.data), role.clock.system())
  }
  await followPosts(role, ['arrival', 'claim'], take, signal)
}
