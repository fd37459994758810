import { z } from 'zod'
import { checksum } from './checksum.js'
import { checkSchema, hexBytesSchema } from './framing.js'

/** What is sent back for a good frame, part by part. */
export const acknowledgementSchema = z.strictObject({
  parts: z
    .array(
      z.union([
        z.strictObject({ hex: hexBytesSchema }),
        /** Bytes of the frame's header, counted from the start mark's first byte. */
        z.strictObject({ copy: z.strictObject({ at: z.int().min(0).max(63), bytes: z.int().min(1).max(16) }) }),
        /** Over the parts before this one. */
        z.strictObject({ check: checkSchema }),
      ]),
    )
    .min(1)
    .max(16),
})

export type Acknowledgement = z.infer<typeof acknowledgementSchema>

export function acknowledgementBytes({ parts }: Acknowledgement, header: Uint8Array): Uint8Array {
  let bytes = new Uint8Array(0)
  for (const part of parts) {
    if ('hex' in part) bytes = joined(bytes, part.hex)
    else if ('copy' in part) bytes = joined(bytes, header.subarray(part.copy.at, part.copy.at + part.copy.bytes))
    else bytes = joined(bytes, checksum(part.check, bytes))
  }
  return bytes
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length)
  both.set(one)
  both.set(other, one.length)
  return both
}
