import type { Test } from 'tap'
import { connectHub, type HubClient, type HubOptions } from '../../gateway/hub/client.js'
import type { HubOutput } from '../../gateway/hub/outputs.js'
import type { TestBroker } from './brokers.js'
import { hubKey, site } from './events.js'
import { until } from './gateway.js'

export interface Collected {
  readonly client: HubClient
  /** `source#sequence` of each event in the order the application got it. */
  readonly events: string[]
  readonly outputs: HubOutput[]
}

/** A hub that keeps what it gets. Resolves when it hears. */
export async function collect(t: Test, broker: TestBroker, options: Partial<HubOptions> = {}): Promise<Collected> {
  const client = await connectHub({ url: broker.url, site, signingKey: hubKey, hold: 1, ...options })
  t.teardown(() => client.close())
  const events: string[] = []
  const outputs: HubOutput[] = []
  const run = async () => {
    for await (const output of client) {
      outputs.push(output)
      if (output.kind === 'event') events.push(`${output.envelope.source}#${output.envelope.sequence}`)
    }
  }
  void run()
  await until('hub online', () => client.session.online)
  return { client, events, outputs }
}

/** Whether the numbers of a stream came as 1, 2, 3 … */
export function inOrder(events: readonly string[], source: string): boolean {
  const numbers = events.filter(event => event.startsWith(`${source}#`)).map(event => Number(event.split('#')[1]))
  return numbers.every((number, index) => number === index + 1)
}
