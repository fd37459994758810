import type { ArrayGeometry } from '../../drivers/microphone-array/geometry.js'
import type { Weather } from '../acoustics/arrival.js'
import type { DirectionOptions } from '../acoustics/direction.js'
import { airOf } from '../acoustics/propagation.js'
import { loadFourier } from './fourier.js'

/** What an ear needs to give bearings; it knows the sample rate once it hears something. */
export type ArrayDirection = Omit<DirectionOptions, 'sampleRate'>

/** Fewer microphones lie on one line, which leaves two sides. */
const fewestMicrophones = 3

/** Loads the Fourier transform only for an array that can give bearings; null for one that cannot. */
export async function arrayDirection(
  { microphones }: ArrayGeometry,
  heading: number,
  weather: Weather,
): Promise<ArrayDirection | null> {
  if (microphones.length < fewestMicrophones) return null
  const { speed, speedError } = airOf(weather)
  return { microphones, heading, fourier: await loadFourier(), speedOfSound: speed, speedError }
}
