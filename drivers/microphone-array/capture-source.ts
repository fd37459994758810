import type { CaptureFormat, CapturePacket } from './capture.js'

export interface CaptureRequest {
  /** An ALSA `hw:` device, by number (`hw:1,0`) or better by name (`hw:CARD=ArrayUAC10,DEV=0`). */
  readonly device: string
  readonly channels: number
  /** Hertz; null takes what the device prefers near 48,000. */
  readonly sampleRate: number | null
}

/** An open capture device. Nothing that it does blocks. */
export interface CaptureSource {
  readonly format: CaptureFormat
  /** One standard deviation of the packets' `captureTime`, seconds; absent where the kernel tells when samples were taken. */
  readonly captureTimeError?: number
  /** The next packet, or null when none is there yet. @throws CaptureError when the device is gone */
  read(): CapturePacket | null
  close(): Promise<void>
}

/** Why a device cannot be opened or read; `fault` as in a state report. */
export class CaptureError extends Error {
  readonly fault: 'device-absent' | 'device-refused' | 'stream-ended'

  constructor(fault: CaptureError['fault'], message: string) {
    super(message)
    this.name = 'CaptureError'
    this.fault = fault
  }
}
