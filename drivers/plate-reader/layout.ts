import { z } from 'zod'
import { acknowledgementBytes, acknowledgementSchema } from './acknowledgement.js'
import type { ParsedRead } from './fields.js'
import { makeFramer } from './framer.js'
import { type Framer, framingSchema, hexBytesSchema } from './framing.js'
import { compileJson, jsonContentSchema } from './json-content.js'
import { compileTemplates, templateContentSchema } from './template.js'

export const lineSettingsSchema = z.strictObject({
  /** Bits a second. */
  baudRate: z.int().min(50).max(4_000_000),
  dataBits: z.literal([5, 6, 7, 8]).default(8),
  parity: z.enum(['none', 'even', 'odd', 'mark', 'space']).default('none'),
  stopBits: z.literal([1, 1.5, 2]).default(1),
  /** `hardware` is RTS and CTS, `software` XON and XOFF, which binary layouts cannot bear. */
  flowControl: z.enum(['none', 'hardware', 'software']).default('none'),
})

export type LineSettings = z.infer<typeof lineSettingsSchema>

const exampleReadSchema = z.strictObject({
  text: z.string(),
  confidence: z.number().nullable().default(null),
  country: z.string().nullable().default(null),
  state: z.string().nullable().default(null),
  lane: z.string().nullable().default(null),
  direction: z.enum(['approaching', 'departing']).nullable().default(null),
  readerTime: z.number().nullable().default(null),
})

/** A file of `firmware-config/devices/plate-readers`: how one make of reader is wired and what it sends. */
export const plateReaderLayoutSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]*$/),
  description: z.string().min(1),
  /** Where the format is documented, and what of it could not be confirmed there. */
  source: z.string().min(1),
  /** Factory settings of the serial line. */
  line: lineSettingsSchema,
  framing: framingSchema,
  content: z.discriminatedUnion('kind', [templateContentSchema, jsonContentSchema]),
  /** Sent back for every frame whose checksum is right or, without checksums, whose content fits. */
  acknowledgement: acknowledgementSchema.optional(),
  /** Bytes as the reader sends them, the reads that they make and what is answered; a test holds them against each other. */
  examples: z
    .array(
      z.strictObject({
        hex: hexBytesSchema,
        reads: z.array(exampleReadSchema),
        acknowledged: hexBytesSchema.optional(),
      }),
    )
    .min(1),
})

export type PlateReaderLayout = z.infer<typeof plateReaderLayoutSchema>

/** Frames and bytes that made no read, since the parser began. */
export interface Discarded {
  readonly frames: number
  readonly bytes: number
}

/**
 * Finds the reads in a stream of bytes by a layout. The same stream gives the same reads and counts however it is split. A
 * frame that does not fit the layout never makes a read, and memory is bounded by the layout's longest frame.
 */
export class LayoutParser {
  readonly #framer: Framer
  readonly #layout: PlateReaderLayout
  readonly #answer: (acknowledgement: Uint8Array) => void
  readonly #interpret: (frame: Uint8Array) => ParsedRead | 'no-read' | null
  #received = 0
  #used = 0
  #good = 0
  #refused = 0
  #lastGood = 0

  /** @param answer sends an acknowledgement to the reader */
  constructor(layout: PlateReaderLayout, answer: (acknowledgement: Uint8Array) => void = () => {}) {
    this.#layout = layout
    this.#answer = answer
    this.#framer = makeFramer(layout.framing)
    this.#interpret = layout.content.kind === 'json' ? compileJson(layout.content) : compileTemplates(layout.content)
  }

  /** Each read with what had been discarded by then. */
  push(bytes: Uint8Array): { readonly read: ParsedRead; readonly discarded: Discarded }[] {
    const found: { read: ParsedRead; discarded: Discarded }[] = []
    for (const byte of bytes) {
      this.#received += 1
      for (const { content, header, size, checked } of this.#framer.take(byte)) {
        const meaning = content.length === 0 ? 'blank' : this.#interpret(content)
        const { acknowledgement } = this.#layout
        if (acknowledgement !== undefined && (checked || meaning !== null)) {
          this.#answer(acknowledgementBytes(acknowledgement, header))
        }
        if (meaning === null) {
          this.#refused += 1
          continue
        }
        this.#used += size
        if (meaning === 'blank') continue
        this.#good += 1
        this.#lastGood = this.#received
        if (meaning !== 'no-read') found.push({ read: meaning, discarded: this.discarded })
      }
    }
    return found
  }

  get discarded(): Discarded {
    return {
      frames: this.#refused + this.#framer.dropped,
      bytes: this.#received - this.#used - this.#framer.pending,
    }
  }

  /** Frames that fit the layout, those that say that no plate was recognized included. */
  get goodFrames(): number {
    return this.#good
  }

  /** Bytes that have come since the last good frame. */
  get bytesSinceFrame(): number {
    return this.#received - this.#lastGood
  }

  /** Gives up a frame that has begun: the line was reopened, or has been quiet for longer than any frame takes. */
  reset(): void {
    this.#framer.reset()
  }
}
