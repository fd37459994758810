/** The parts of node-av that the drivers use. */
export interface Capture {
  readonly library: typeof import('node-av/lib')
  readonly constants: typeof import('node-av/constants')
}

/**
 * FFmpeg in this process. Loaded on first use, because it costs tens of megabytes: whoever plays WAV files never pays.
 * Its own log goes to standard error on every failed attempt, so it is turned off; the drivers say what failed.
 */
export async function loadCapture(): Promise<Capture> {
  addPromiseWithResolvers()
  const library = await import('node-av/lib')
  const constants = await import('node-av/constants')
  library.Log.setLevel(constants.AV_LOG_QUIET)
  return { library, constants }
}

/** As `loadCapture`, with node-av's reading of files. */
export async function loadFiles(): Promise<Capture & { readonly files: typeof import('node-av/api') }> {
  return { ...(await loadCapture()), files: await import('node-av/api') }
}

/** node-av needs `Promise.withResolvers`; where Node.js 20 lacks it, its streams end at once and say nothing. */
function addPromiseWithResolvers(): void {
  if ('withResolvers' in Promise) return
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value: <Value>() => {
      let resolve: (value: Value | PromiseLike<Value>) => void = () => {}
      let reject: (reason?: unknown) => void = () => {}
      const promise = new Promise<Value>((onResolve, onReject) => {
        resolve = onResolve
        reject = onReject
      })
      return { promise, resolve, reject }
    },
  })
}
