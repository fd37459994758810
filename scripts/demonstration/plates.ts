import { closeSync, constants, openSync, writeSync } from 'node:fs'

/** What the reader on the pole sees: seconds after the recording begins, and the text that it sends. */
const traffic: readonly (readonly [number, string])[] = [
  [0.5, 'DEM0001'],
  [1.5, 'DEM0002'],
  [3, 'POLE123'],
  [4, 'DEM0003'],
  [5, 'DEM0004'],
  [6.5, 'BOB1337'],
  [8, 'DEM0005'],
]

/** The texts of the traffic that are on no list: nothing of them may be found anywhere afterwards. */
export const unlisted = traffic.map(([, text]) => text).filter(text => text.startsWith('DEM'))

/** Plays a plate reader that speaks the AxxonSoft Auto-Intellect layout: 02, YYYYMMDDHHMMSS, camera, plate, 03. */
export function sendPlates(device: string, startAt: number): { stop(): void } {
  const timers = traffic.map(([after, text]) =>
    setTimeout(() => send(device, text), Math.max(0, (startAt + after) * 1000 - Date.now())),
  )
  return {
    stop() {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

function send(device: string, text: string): void {
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
  try {
    const line = openSync(device, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK)
    writeSync(line, `\u0002${stamp}01${text}\u0003`)
    closeSync(line)
  } catch {
    // The line was cut; a reader on a pole would not know either.
  }
}
