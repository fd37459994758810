import { CountedFramer } from './counted-framer.js'
import { DelimitedFramer } from './delimited-framer.js'
import type { Framer, Framing } from './framing.js'

export function makeFramer(framing: Framing): Framer {
  return framing.kind === 'delimited' ? new DelimitedFramer(framing) : new CountedFramer(framing)
}
