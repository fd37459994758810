import { z } from 'zod'
import type { PositionFix } from '../../drivers/gnss/gnss.js'
import type { GnssSettings } from '../config/schema.js'
import { PolewatchError } from '../errors.js'
import { distanceBetween, MoveWatch, Survey, type SurveyedPlace, type SurveyFix } from '../timebase/survey.js'
import { KeptFile } from './kept-file.js'
import type { Role } from './role.js'
import { Tampers } from './tamper.js'

/** The part that has the position's faults. */
const part = 'position'

const degrees = z.number()
const saved = z.object({
  place: z.object({
    latitude: degrees,
    longitude: degrees,
    altitude: z.number().nullable(),
    error: z.number(),
    duration: z.number(),
  }),
  /** The position in the configuration at that time: who corrects it has moved the pole on purpose. */
  configured: z.object({ latitude: degrees, longitude: degrees }),
})

/** Compares where satellites see the pole with where it is said to stand, and with where it stood before. */
export class PositionWatch {
  readonly #role: Role
  readonly #settings: GnssSettings
  readonly #tampers: Tampers
  /** What was surveyed, kept over a restart so that a pole carried away without power is missed too. */
  readonly #file: KeptFile<z.output<typeof saved>>
  #survey: Survey
  #moves: MoveWatch | null

  constructor(role: Role, settings: GnssSettings) {
    this.#role = role
    this.#settings = settings
    this.#tampers = new Tampers(role, 'position')
    this.#file = new KeptFile(role.configuration.paths.state, 'survey.json', saved, message => role.log.warn(message))
    this.#survey = this.#newSurvey()
    const place = this.#load()
    this.#moves = place === null ? null : this.#watchOf(place)
    if (place !== null) this.#compare(place)
  }

  /** @param at seconds of a clock that never steps */
  take(fix: PositionFix, at: number): void {
    const seen: SurveyFix = { ...fix, at }
    const moved = this.#moves?.take(this.#middleOf(seen)) ?? null
    if (moved !== null) {
      const detail = `Satellites see the pole ${moved.toFixed(0)} m from where it was surveyed.`
      this.#tampers.raise(part, 'moved', detail)
      this.#survey = this.#newSurvey()
      return
    }
    if (this.#moves?.away === false) this.#tampers.clear(part, 'moved', 'The pole stands where it was surveyed.')
    if (this.#moves?.away === true) return
    const place = this.#survey.take(seen)
    if (place === null) return
    this.#save(place)
    this.#moves = this.#watchOf(place)
    this.#compare(place)
  }

  #newSurvey(): Survey {
    const { surveySeconds, surveyAccuracy, antennaOffset } = this.#settings
    return new Survey({ duration: surveySeconds, accuracy: surveyAccuracy, antennaOffset })
  }

  #watchOf(place: SurveyedPlace): MoveWatch {
    return new MoveWatch(place, { distance: this.#settings.movedMetres })
  }

  /** A fix is of the antenna; the survey moves its own result, the watch for moves needs it here. */
  #middleOf(fix: SurveyFix): SurveyFix {
    const { east, north } = this.#settings.antennaOffset
    const metre = 1 / 111_195
    return {
      ...fix,
      latitude: fix.latitude + north * metre,
      longitude: fix.longitude + (east * metre) / Math.cos((fix.latitude * Math.PI) / 180),
    }
  }

  #compare(place: SurveyedPlace): void {
    const { position } = this.#role.configuration.gateway
    const distance = distanceBetween(place, position)
    const { latitude, longitude, error } = place
    const found = `${latitude.toFixed(6)}, ${longitude.toFixed(6)}, within ${error.toFixed(1)} m`
    if (distance <= Math.max(this.#settings.movedMetres, 3 * Math.hypot(error, position.error))) {
      this.#role.ready(part, `Surveyed at ${found}.`)
      return
    }
    const fault = new PolewatchError('PW_POSITION_WRONG', { distance: distance.toFixed(0), found })
    this.#role.raise(part, 'faulty', 'position-wrong', fault.message, fault.code)
  }

  #load(): SurveyedPlace | null {
    const known = this.#file.load()
    const here = this.#role.configuration.gateway.position
    return known !== undefined && distanceBetween(known.configured, here) < 1 ? known.place : null
  }

  #save(place: SurveyedPlace): void {
    const { latitude, longitude } = this.#role.configuration.gateway.position
    this.#file.save({ place, configured: { latitude, longitude } })
  }
}
