import { z } from 'zod'

/**
 * Where the microphones of an array are: metres from the array's middle, seen from behind the array looking along its
 * heading. Channel n of the sound is the n-th microphone.
 */
export const arrayGeometrySchema = z.strictObject({
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
})

export type ArrayGeometry = z.infer<typeof arrayGeometrySchema>
