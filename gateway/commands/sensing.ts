import { randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Command } from 'commander'
import { devicesFolder } from '../../drivers/device-files.js'
import { systemClock } from '../../drivers/system-clock.js'
import { Hearing, usualLoneSalience } from '../acoustics/hearing.js'
import type { GunfireRevision } from '../acoustics/incident.js'
import { locateShots } from '../acoustics/locate.js'
import { practiceBursts, practise } from '../acoustics/practice.js'
import type { DistrustChange } from '../acoustics/trust.js'
import { defaultConfigurationFile, deviceNames, loadConfiguration } from '../config/load.js'
import { loadPolicy, type PolicyInForce } from '../config/policy-file.js'
import type { Configuration } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import type { EvidenceStore } from '../journal/evidence-store.js'
import type { Post } from '../journal/exchange.js'
import { openEvent } from '../messages/seal.js'
import { audioSecondsAllowed, keepSeconds } from '../policy/policy.js'
import { arrayDirection } from './array-direction.js'
import { geometryOf, microphoneArray } from './devices.js'
import { clearedSentence, distrustError, distrustedPart, distrustFault } from './distrust.js'
import { Ear } from './ear.js'
import { evidenceStore, keepEvidence, purgeEvidence } from './evidence-files.js'
import { answerEvidenceRequests } from './evidence-requests.js'
import { followExerciseRequests } from './exercise-alert.js'
import { FollowedClock } from './follow-clock.js'
import { followRequests } from './follow-requests.js'
import { followAuditRetention } from './forget-audit.js'
import { arrivalDraft, claimDraft, claimOf, gunfireDraft, neighbourReport } from './hearing-messages.js'
import { MeasuredAir } from './measured-air.js'
import { frontOf, MicrophoneCheck } from './microphone-check.js'
import type { EvidenceReference } from './plate-hit.js'
import { readPlates } from './read-plates.js'
import { Role, systemTime } from './role.js'
import { report, tellHealth } from './role-health.js'
import { SoundClips } from './sound-clips.js'
import { SoundReporter } from './sound-report.js'
import { startAtOption } from './start-at.js'
import { watchSwitches } from './switches.js'
import { stopSignal } from './terminal.js'
import { followPosts } from './uplink-posts.js'
import { watchBoards } from './watch-boards.js'
import { watchPosition } from './watch-position.js'

/** How often the hearing looks whether something is due, seconds. */
const tick = 0.1

/** A microphone array that neither delivers sound nor says why for so long hangs, seconds. */
const longestSilence = 20

export function define(command: Command): void {
  command
    .description(
      'Hears gunfire and reads plates, and commits every alert to its journal. It has no network: `polewatch uplink` delivers.',
    )
    .option('--config <FILE>', 'the configuration', defaultConfigurationFile)
    .option('--start-at <TIME>', 'when recordings begin to play (seconds since 1970 or RFC 3339)', startAtOption)
    .option('--json', 'accepted for uniformity: the log on standard error is NDJSON anyway')
    .action(async ({ config, startAt }: { config: string; startAt?: number }) => {
      const configuration = loadConfiguration(config, deviceNames(devicesFolder))
      await sense(configuration, startAt ?? null, stopSignal())
    })
}

/** Runs the role until the signal aborts, or the hub has it begin anew. */
async function sense(configuration: Configuration, startAt: number | null, signal: AbortSignal): Promise<void> {
  const role = new Role('sensing', configuration)
  const restart = new AbortController()
  const until = AbortSignal.any([signal, restart.signal])
  try {
    const policy = loadPolicy(configuration.policyFile)
    const evidence = evidenceStore(configuration, policy.policy, 'sensing')
    const air = new MeasuredAir(configuration.weather)
    await Promise.all([
      tellHealth(role, until),
      hear(role, policy, evidence, air, startAt, until),
      getReady(until),
      readPlates(role, policy, until),
      purgeEvidence(role, evidence, until),
      followAuditRetention(role, until),
      answerEvidenceRequests(role, evidence, policy.policy, until),
      watchPosition(role, until),
      watchSwitches(role, until),
      watchBoards(role, air, until),
      followRequests(role, () => restart.abort(), until),
      followExerciseRequests(role, until),
    ])
  } finally {
    role.close()
  }
}

/** Beside listening, so that no sound is lost, and in small steps. */
async function getReady(signal: AbortSignal): Promise<void> {
  for (let burst = 0; burst < practiceBursts && !signal.aborted; burst++) {
    practise(locateShots, burst)
    await nextTurn()
  }
}

async function hear(
  role: Role,
  { policy, hash }: PolicyInForce,
  store: EvidenceStore,
  air: MeasuredAir,
  startAt: number | null,
  signal: AbortSignal,
): Promise<void> {
  const { gateway, microphoneArrays, weather, exercise, neighbours } = role.configuration
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
  const listen = async (index: number): Promise<void> => {
    const settings = microphoneArrays[index]
    if (settings === undefined) return
    const geometry = await geometryOf(settings.geometry)
    // Silence in a recording is no dead microphone.
    const microphones = settings.driver === 'recording' ? null : await MicrophoneCheck.of(settings.name, role, geometry)
    const ear = new Ear({
      gateway: gateway.id,
      part: settings.name,
      epoch: index === 0 ? epoch : `${epoch}${index}`,
      fullScaleLevel: geometry.soundLevelAtFullScale,
      clock: () => clock.status(),
      direction: await arrayDirection(geometry, settings.heading, weather),
      impulse: snippet => microphones?.impulse(frontOf(snippet)),
      onset: (arrival, snippet) => sounds.impulse(settings.name, arrival, snippet),
    })
    const array = await microphoneArray(settings, startAt)
    // A recording may begin later and ends; a microphone never stops.
    if (settings.driver !== 'recording') role.expect(settings.name, longestSilence)
    const heard = { blocks: 0, gaps: 0, lostSamples: 0 }
    let expected: number | null = null
    for await (const reading of array.readings(signal)) {
      if (reading.kind === 'state') report(role, settings.name, reading)
      else {
        role.delivered(settings.name)
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
          hearing.hear(arrivals, heardUntil, systemTime())
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
  const decide = async (): Promise<void> => {
    while (!signal.aborted) {
      const now = systemTime()
      const { temperatureError, ...measured } = air.weather(systemClock.monotonic())
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
      await systemClock.sleep(tick, signal)
    }
  }
  const work = [clock.follow(signal), ...[...microphoneArrays.keys()].map(listen)]
  if (microphoneArrays.length > 0) work.push(decide(), sounds.tell(signal))
  if (neighbours.enabled) work.push(hearNeighbours(role, hearing, signal))
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
    if (event.name === 'arrival') hearing.receive(neighbourReport(event.data), systemTime())
    if (event.name === 'claim') hearing.receiveClaim(claimOf(event.data), systemTime())
  }
  await followPosts(role, ['arrival', 'claim'], take, signal)
}
