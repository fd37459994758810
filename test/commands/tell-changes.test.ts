import { test } from 'tap'
import { tell } from '../../gateway/commands/apply-outcomes.js'
import { Role } from '../../gateway/commands/role.js'
import { tellChanges } from '../../gateway/commands/tell-changes.js'
import { openEvent } from '../../gateway/messages/seal.js'
import type { PublishRequest } from '../../gateway/uplink/connection.js'
import { LiveStream } from '../../gateway/uplink/live-stream.js'
import { uplinkConfiguration } from './polewatch.js'

test('what became of each change is recorded once and told until the broker has it, also over a restart', async t => {
  const folder = t.testdir({ state: {}, runtime: {} })
  const configuration = uplinkConfiguration(folder)
  const command = { source: '/example-city/hub/hub/live', id: 'ab12cd34-00000000000000000001' }
  const refusal = { outcome: 'taken-back', code: 'PW_APPLY_TAKEN_BACK', detail: 'It was taken back.' } as const
  tell(configuration.paths, { ...refusal, request: 'configuration-one.json', command, at: 1 })
  tell(configuration.paths, { ...refusal, request: 'configuration-two.json', command: null, at: 2 })

  const heard: PublishRequest[] = []
  let failures = 1
  const run = async (until: (records: number) => boolean): Promise<number> => {
    const role = new Role('uplink', configuration)
    const stop = new AbortController()
    const session = {
      publish: (request: PublishRequest): Promise<number> => {
        if (failures-- > 0) return Promise.reject(new Error('offline'))
        heard.push(request)
        return Promise.resolve(0)
      },
    }
    const telling = tellChanges(
      { role, session, stream: new LiveStream('example-city', 'pole-17', 'uplink', role.key) },
      stop.signal,
    )
    while (!until(role.journal.auditHead().number)) await new Promise(resolve => setTimeout(resolve, 10))
    stop.abort()
    await telling
    const after = role.journal.auditHead().number
    role.close()
    return after
  }
  // The first record of a journal says that it was begun.
  t.equal(await run(records => heard.length === 1 && records >= 3), 3)
  const [first] = heard
  t.match(first && openEvent(first.payload).data, { command, outcome: 'failed', code: 'PW_APPLY_TAKEN_BACK' })
  let looks = 0
  t.equal(await run(() => looks++ > 3), 3, 'and nothing again after a restart')
  t.equal(heard.length, 1)
})
