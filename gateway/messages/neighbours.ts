import * as z from 'zod'
import {
  arrivalId,
  azimuth,
  bearing,
  epoch,
  gatewayName,
  incidentId,
  incidentState,
  position,
  probability,
  quality,
  range,
  revision,
  seconds,
  soundLevel,
  time,
} from './fields.js'

/** What gateways tell their neighbours, so that each can locate a shot. */

const weather = z
  .object({
    temperature: z.number().min(-90).max(70).nullable().describe('Celsius.'),
    humidity: z.number().min(0).max(100).nullable().describe('Relative. Per cent.'),
    windSpeed: z.number().nonnegative().nullable().describe('Metres a second.'),
    windFrom: azimuth('Where the wind comes from.').nullable(),
  })
  .describe('The air at the gateway; null where it is not known.')

const heardArrival = z.object({
  id: arrivalId,
  time: time('Onset.'),
  timeError: seconds('One standard deviation of the onset: picking and clock together.'),
  salience: z.number().describe('How far the onset stands out against what came before; higher is surer.'),
  soundLevel,
  bearing: bearing.nullable(),
  range: range.optional().describe('With the bearing, and only where the physics allows one.'),
  gunProbability: probability('That the sound by itself is a gunshot.').nullable(),
  fireworkProbability: probability(
    'That the sound by itself is like a firework: a blast, but no gun. What is missing to 1 is other sounds.',
  ).nullable(),
})

export const arrival = z.object({
  gateway: gatewayName,
  epoch,
  position: position.describe('Where the gateway stands.'),
  positionError: z.number().nonnegative().describe('One standard deviation a horizontal axis. Metres.'),
  clockError: seconds('One standard deviation of the clock; null where nothing is known of it.').nullable(),
  heardUntil: time('Everything heard up to then is in this message or an earlier one.'),
  weather,
  arrivals: z
    .array(heardArrival)
    .max(1000)
    .describe('Heard since the message before; empty means that nothing was heard.'),
})

export const claim = z.object({
  incident: incidentId,
  reporter: gatewayName.describe('The gateway that reports the incident to the hub.'),
  earliest: z.object({ id: arrivalId, time: time('Onset.') }).describe('The earliest arrival known to the reporter.'),
  arrivals: z.array(arrivalId).min(1).max(1000).describe('All arrivals that the incident explains.'),
  revision,
  state: incidentState,
  position: position.nullable().describe('Of the first shot; null where it is not located.'),
  quality,
  time: time('Of the first shot.'),
})
