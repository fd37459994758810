import { z } from 'zod'

const shape = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  description: z.string().min(1),
  microphones: z
    .array(
      z.strictObject({
        right: z.number().min(-10).max(10),
        forward: z.number().min(-10).max(10),
        up: z.number().min(-10).max(10),
      }),
    )
    .min(1)
    .max(64),
  /** Decibel re 20 µPa of a sine whose peaks reach full scale; null where nobody has measured it. */
  soundLevelAtFullScale: z.number().min(60).max(200).nullable(),
  /** What the sound card gives where that is not one channel a microphone in their order: how many, and which are theirs, from 0. */
  capture: z
    .strictObject({
      channels: z.int().min(1).max(64),
      microphones: z.array(z.int().min(0).max(63)).min(1).max(64),
    })
    .optional(),
})

/**
 * Where the microphones of an array are: metres from the array's middle, seen from behind the array looking along its
 * heading. Channel n of the sound is the n-th microphone, unless `capture` says otherwise.
 */
export const arrayGeometrySchema = shape.refine(
  ({ microphones, capture }) =>
    capture === undefined ||
    (capture.microphones.length === microphones.length && capture.microphones.every(each => each < capture.channels)),
  'capture names one channel of the card for each microphone',
)

export type ArrayGeometry = z.infer<typeof arrayGeometrySchema>
