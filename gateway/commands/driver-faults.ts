import { type ErrorCode, PolewatchError } from '../errors.js'

/** Drivers name their faults and know no codes; this is the one place where the two meet. */
const codes: Readonly<Record<string, ErrorCode>> = {
  'recording-missing': 'PW_RECORDING_MISSING',
  'recording-not-video': 'PW_RECORDING_NOT_VIDEO',
  'recording-not-audio': 'PW_RECORDING_NOT_AUDIO',
  'recording-truncated': 'PW_RECORDING_TRUNCATED',
  'wrong-sample-rate': 'PW_SAMPLE_RATE_DIFFERS',
  'wrong-channel-count': 'PW_CHANNEL_COUNT',
  'device-absent': 'PW_DEVICE_ABSENT',
  'device-busy': 'PW_DEVICE_FAULT',
  'device-refused': 'PW_DEVICE_FAULT',
  silent: 'PW_STREAM_SILENT',
  'silent-stream': 'PW_STREAM_SILENT',
  'no-fix': 'PW_GNSS_NO_FIX',
  'antenna-open': 'PW_GNSS_ANTENNA',
  'antenna-short': 'PW_GNSS_ANTENNA',
  'line-noise': 'PW_LINE_NOISE',
  'wrong-firmware': 'PW_BOARD_FIRMWARE',
}

/** The code that belongs to a driver's fault; null where there is none. */
export function codeOfFault(fault: string): ErrorCode | null {
  return codes[fault] ?? null
}

/** The error a person gets for a driver's fault. */
export function driverError(fault: string, part: string, detail: string): PolewatchError {
  return new PolewatchError(codeOfFault(fault) ?? 'PW_DEVICE_FAULT', { part, detail, fault })
}
