import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { countMonth, monthAt } from '../../gateway/commands/report-counts.js'
import { Role } from '../../gateway/commands/role.js'
import { rolePaths } from '../../gateway/commands/role-files.js'
import { sendReports, storeReport } from '../../gateway/commands/stored-reports.js'
import { parseConfiguration } from '../../gateway/config/load.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { openEvent, verifyEvent } from '../../gateway/messages/seal.js'
import { polewatch, uplinkConfiguration } from './polewatch.js'

test('the report of each month is signed, waits in the journal for the hub, and is sent once, also over a restart', async t => {
  const folder = t.testdir({ state: {}, runtime: {} })
  const configuration = uplinkConfiguration(folder)
  const { paths } = configuration
  const now = Date.now() / 1000
  const run = async (enough: (role: Role) => boolean): Promise<void> => {
    const role = new Role('uplink', configuration)
    const stop = new AbortController()
    const sending = sendReports(role, stop.signal)
    while (!enough(role)) await new Promise(resolve => setTimeout(resolve, 10))
    stop.abort()
    await sending
    const journal = new JournalReader(rolePaths(paths, 'uplink').journal)
    const sent = journal.streams().flatMap(({ source, epoch }) => journal.read(source, epoch, 0, 100))
    journal.close()
    months = sent.map(({ bytes }) => {
      const event = openEvent(bytes)
      t.equal(
        verifyEvent(event, () => role.key.publicKey),
        'valid',
      )
      return `${event.name} ${event.subject}`
    })
    role.close()
  }
  let months: string[] = []
  await run(() => true)
  t.same(months, [])

  const uplink = rolePaths(paths, 'uplink').journal
  const report = countMonth(configuration, [uplink], monthAt(now))
  t.match(report, { incidents: 0, audit: [{ role: 'uplink', length: 1 }] })
  for (let before = 15; before > 0; before--) storeReport(paths, monthAt(now, before).name, report)
  t.equal(readdirSync(join(folder, 'state', 'reports')).length, 13, 'a year and a month are kept')
  // The first record says that the journal was begun.
  await run(role => role.journal.auditHead().number >= 14)
  const expected = Array.from({ length: 13 }, (_, index) => `report ${monthAt(now, 13 - index).name}`)
  t.same(months, expected)
  let looks = 0
  await run(() => looks++ > 3)
  t.same(months, expected, 'and none again')
})

test('the timer has the month before counted, whatever that held', async t => {
  const folder = t.testdir({ state: {}, runtime: {} })
  const file = join(folder, 'polewatch.yaml')
  const text = `version: 1
site: example-city
gateway: { id: pole-17, position: { latitude: 41.88, longitude: -87.63, altitude: 5, error: 1 } }
paths: { state: ${folder}/state, runtime: ${folder}/runtime }
uplink: { brokers: ['mqtt://127.0.0.1:1883'], acknowledge: broker }
`
  writeFileSync(file, text)
  new Role('sensing', parseConfiguration(text, file)).close()
  const stored = polewatch('report', '--store', '--config', file)
  t.equal(stored.status, 0, stored.errors)
  t.ok(existsSync(join(folder, 'state', 'reports', `${monthAt(Date.now() / 1000, 1).name}.json`)))
})
