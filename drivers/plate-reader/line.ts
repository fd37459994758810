/** An open connection to a reader, whatever carries it. */
export interface Line {
  /** Whether the device is still there. */
  present(): boolean
  /** Sends without waiting; what cannot be sent is lost. */
  write(bytes: Uint8Array): void
  /** Never rejects. */
  close(): Promise<void>
}

export interface LineListener {
  /** The bytes belong to the listener. */
  bytes(chunk: Uint8Array): void
  /** The line is gone; nothing follows. */
  lost(reason: string): void
  /** The line is ready to be called, and nobody has called yet. */
  waiting?(detail: string): void
}

/** Opens a line; rejects with a `LineError`, and with one too when the signal aborts first. */
export type OpenLine = (listener: LineListener, signal: AbortSignal) => Promise<Line>

/** Why a line cannot be opened; `fault` as in a state report. */
export class LineError extends Error {
  readonly fault: 'device-absent' | 'device-busy' | 'device-refused'

  constructor(fault: LineError['fault'], message: string) {
    super(message)
    this.name = 'LineError'
    this.fault = fault
  }
}
