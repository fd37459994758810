import { z } from 'zod'

/** Bytes in hexadecimal, pairs of digits, spaces allowed. */
export const hexBytesSchema = z
  .string()
  .regex(/^(?:\s*[0-9a-fA-F]{2})+\s*$/, { error: 'expected bytes in hexadecimal, such as "0d 0a"', abort: true })
  .transform(text => Uint8Array.from(text.match(/[0-9a-fA-F]{2}/g) ?? [], pair => Number.parseInt(pair, 16)))

/** Frames between an end mark and, where there is one, a start mark; bytes between frames are noise. */
const delimitedSchema = z
  .strictObject({
    kind: z.literal('delimited'),
    start: hexBytesSchema.optional(),
    end: hexBytesSchema,
    /** Longest content; a longer frame is dropped. */
    maximumBytes: z.int().min(1).max(4096),
  })
  .refine(framing => framing.start?.join() !== framing.end.join(), 'start and end must differ')

export const checkSchema = z.strictObject({
  /** `crc-16-ccitt`: polynomial 0x1021, begun with 0xffff. `crc-16-modbus`: 0x8005 reflected, begun with 0xffff. */
  kind: z.enum(['xor', 'crc-16-ccitt', 'crc-16-modbus']),
  /** Which byte of a CRC comes first: the high one (`big`) or the low one. */
  order: z.enum(['big', 'little']).default('big'),
  /** Bytes at the frame's beginning that are not checked. */
  skip: z.int().min(0).max(16).default(0),
})

/** Start mark, header, content, check, end mark; the header says how long the content is, or it always has one length. */
const countedSchema = z
  .strictObject({
    kind: z.literal('counted'),
    start: hexBytesSchema,
    /** Bytes between the start mark and the content. */
    headerBytes: z.int().min(0).max(32),
    length: z.union([
      z.strictObject({ fixed: z.int().min(1).max(4096) }),
      /** Where in the header the number of content bytes stands, and how. */
      z.strictObject({
        at: z.int().min(0).max(31),
        bytes: z.union([z.literal(1), z.literal(2), z.literal(4)]),
        order: z.enum(['big', 'little']).default('big'),
      }),
    ]),
    check: checkSchema.optional(),
    end: hexBytesSchema.optional(),
    /** Longest content; a frame that announces more is none. */
    maximumBytes: z.int().min(1).max(4096),
  })
  .refine(
    ({ length, headerBytes }) => 'fixed' in length || length.at + length.bytes <= headerBytes,
    'the length must lie in the header',
  )

/** How frames are told apart on the line. Further kinds join here and in `makeFramer`. */
export const framingSchema = z.discriminatedUnion('kind', [delimitedSchema, countedSchema])

export type Framing = z.infer<typeof framingSchema>
export type DelimitedFraming = z.infer<typeof delimitedSchema>
export type CountedFraming = z.infer<typeof countedSchema>
export type Check = z.infer<typeof checkSchema>

/** One frame as it came. Whoever takes it owns its bytes. */
export interface Frame {
  readonly content: Uint8Array
  /** What stood before the content, the start mark included. */
  readonly header: Uint8Array
  /** Bytes of the whole frame. */
  readonly size: number
  /** Whether a checksum vouches for it. */
  readonly checked: boolean
}

/** Cuts a stream of bytes into frames, the same ones however the stream is split. */
export interface Framer {
  /** Takes one byte; the frames that the byte completes, mostly none. */
  take(byte: number): readonly Frame[]
  /** Bytes of a frame that has begun, its start mark included. */
  readonly pending: number
  /** Frames dropped so far because they were too long, broken off or wrong. */
  readonly dropped: number
  /** Forgets a frame that has begun. */
  reset(): void
}

/** Whether the first `length` bytes end with the mark. */
export function endsWith(bytes: ArrayLike<number>, length: number, mark: Uint8Array): boolean {
  if (length < mark.length) return false
  for (let index = 0; index < mark.length; index += 1) {
    if (bytes[length - mark.length + index] !== mark[index]) return false
  }
  return true
}
