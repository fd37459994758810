import { setTimeout as wait } from 'node:timers/promises'
import { PolewatchError } from '../../errors.js'
import type { Envelope } from '../../messages/envelope.js'

export interface WebhookOptions {
  readonly url: string
  /** Sent with every request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>
  /** Ends waiting and sending. */
  readonly signal?: AbortSignal
  /** Seconds that a request may take: default 10. */
  readonly timeout?: number
  /** Most seconds between two tries: default 60. The first wait is at most one second. */
  readonly longestWait?: number
}

/**
 * Posts an event as it came, signature and all, in the structured mode of the CloudEvents HTTP binding 1.0. Tries again
 * until the receiver says 2xx: waiting for it before the next event is taken keeps the order, and what is not taken is not
 * acknowledged. The receiver drops repeats by `source` and `id`.
 * @throws PW_WEBHOOK_REFUSED for a status that no repetition mends (4xx but 408, 425 and 429); the signal's reason when aborted
 */
export async function postToWebhook({ original }: Envelope, options: WebhookOptions): Promise<void> {
  const { url, headers = {}, signal, timeout = 10, longestWait = 60 } = options
  const body = JSON.stringify(original)
  for (let attempt = 0; ; attempt += 1) {
    signal?.throwIfAborted()
    const outcome = await post(url, body, headers, anySignal(signal, timeout))
    if (outcome === 'taken') return
    signal?.throwIfAborted()
    const ceiling = Math.min(longestWait, 2 ** attempt)
    await wait(
      1000 * Math.max(outcome.retryAfter, Math.random() * ceiling),
      undefined,
      signal === undefined ? {} : { signal },
    )
  }
}

/** Whether it was taken, or how many seconds the receiver wants to be left alone. */
async function post(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<'taken' | { retryAfter: number }> {
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/cloudevents+json; charset=utf-8' },
      body,
      signal,
      redirect: 'error',
    })
    await response.body?.cancel()
  } catch {
    return { retryAfter: 0 }
  }
  const { status } = response
  if (status >= 200 && status < 300) return 'taken'
  if (status >= 400 && status < 500 && !passing.includes(status)) {
    throw new PolewatchError('PW_WEBHOOK_REFUSED', { url: withoutSecrets(url), status })
  }
  return { retryAfter: Math.min(Number(response.headers.get('retry-after')) || 0, 300) }
}

const passing = [408, 425, 429]

function withoutSecrets(url: string): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

function anySignal(signal: AbortSignal | undefined, timeout: number): AbortSignal {
  const late = AbortSignal.timeout(1000 * timeout)
  return signal === undefined ? late : AbortSignal.any([signal, late])
}
