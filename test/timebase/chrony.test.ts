import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import type { DriverClock } from '../../drivers/driver.js'
import { ChronyAsker } from '../../gateway/commands/ask-chrony.js'
import { clockKey } from '../../gateway/commands/follow-clock.js'
import { Role } from '../../gateway/commands/role.js'
import { rolePaths } from '../../gateway/commands/role-files.js'
import { ExchangeReader } from '../../gateway/journal/exchange.js'
import { clockStatusOf, parseTracking } from '../../gateway/timebase/chrony.js'
import { clockReport, type KeptClock } from '../../gateway/timebase/clock-keeper.js'
import { until, uplinkConfiguration } from '../commands/polewatch.js'
import { VirtualClock } from '../contracts/virtual-clock.js'
import { askingChronyd, chronyMissing, type Daemon, startChronyd } from '../drivers/daemons.js'
import { freePort } from '../uplink/brokers.js'

/** A line in chronyc's own format; the reference time is that of the measurement. */
function line(referenceTime: number, leap = 'Normal', stratum = 1): string {
  return `47505300,GPS,${stratum},${referenceTime}.0,-0.000010000,0.000002,0.000003,-12.5,0.01,0.5,0.000400,0.000100,16.0,${leap}\n`
}

test('what chrony says of the system clock', async t => {
  t.test('is its correction, with half the root delay and the dispersion as error', async t => {
    const tracking = parseTracking(line(1000))
    t.match(tracking, { source: 'GPS', stratum: 1, referenceTime: 1000, skew: 0.5, updateInterval: 16, leap: 'normal' })
    const status = clockStatusOf(tracking, 1000)
    t.equal(status.condition, 'synchronised')
    t.equal(status.offset, -0.00001)
    t.ok(Math.abs(status.error - 0.0003) < 1e-9)
  })

  t.test('ages from its reference time, whatever its leap status says, and the error grows', async t => {
    const tracking = parseTracking(line(1000))
    const at = (seconds: number) => clockStatusOf(tracking, 1000 + seconds)
    t.equal(at(40).condition, 'synchronised')
    t.equal(at(60).condition, 'holdover')
    let before = 0
    for (const seconds of [0, 60, 600, 3600, 36_000]) {
      const { error } = at(seconds)
      t.ok(error > before, `${seconds} s: ${error} s`)
      before = error
    }
    t.ok(at(3600).error >= 0.0003 + 3600 * 1e-6)
    t.same(at(100_000).error, Number.POSITIVE_INFINITY)
  })

  t.test('is nothing when it is not synchronised, from the future, or no answer', async t => {
    const nothing = { offset: 0, error: Number.POSITIVE_INFINITY, condition: 'unknown' }
    t.same(clockStatusOf(parseTracking(line(1000, 'Not synchronised')), 1000), nothing)
    t.same(clockStatusOf(parseTracking(line(1000, 'Normal', 0)), 1000), nothing)
    t.same(clockStatusOf(parseTracking(line(2000)), 1000), nothing)
    t.same(clockStatusOf(null, 1000), nothing)
    // What chrony 4.3 said with `local stratum 3` and no source.
    const local = '7F7F0101,,3,1000.453865223,0.000000000,0.0,0.0,0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal'
    t.same(clockStatusOf(parseTracking(local), 1001), nothing)
    for (const text of ['', '506 Cannot talk to daemon', line(1000).replace('0.5', ''), `${line(1000).trim()},more`]) {
      t.equal(parseTracking(text), null)
    }
  })

  t.test('keeps a leap second that is due', async t => {
    t.equal(parseTracking(line(1000, 'Insert second'))?.leap, 'insert-second')
    t.equal(clockStatusOf(parseTracking(line(1000, 'Insert second')), 1000).condition, 'synchronised')
  })
})

test('who is held up between a look at one clock and a look at the other has seen no step', async t => {
  const still = new VirtualClock()
  let [reads, late] = [0, 0]
  const clock: DriverClock = {
    system() {
      const now = still.system() + late
      reads += 1
      if (reads % 3 === 0) late += 0.02
      return now
    },
    monotonic: () => still.monotonic() + late,
    sleep: (seconds, signal) => still.sleep(seconds, signal),
  }
  const role = new Role('uplink', uplinkConfiguration(t.testdir({})), clock)
  t.teardown(() => role.close())
  const controller = new AbortController()
  const conditions: unknown[] = []
  const asker = new ChronyAsker(role, async () => {
    conditions.push(asker.current()?.condition)
    if (conditions.length === 10) controller.abort()
    return line(Math.floor(clock.system()))
  })
  await asker.ask(controller.signal)
  t.same(conditions, ['unknown', ...Array.from({ length: 9 }, () => 'synchronised')])
})

test('a real chronyd', { skip: chronyMissing, timeout: 120_000 }, async t => {
  const folder = t.testdir({})
  const [time, commands, ahead] = [await freePort(), await freePort(), await freePort()]
  const source = `server 127.0.0.1 port ${time} iburst minpoll -2 maxpoll -1`
  const started: Daemon[] = []
  t.teardown(() => Promise.all(started.map(daemon => daemon.stop())))
  const start = (name: string, ...directives: string[]): Daemon => {
    const daemon = startChronyd(folder, name, directives)
    started.push(daemon)
    return daemon
  }

  const chronyc = join(folder, 'chronyc')
  writeFileSync(chronyc, `#!/bin/sh\n${askingChronyd(commands)} "$@"\n`)
  chmodSync(chronyc, 0o755)
  const role = new Role('uplink', { ...uplinkConfiguration(folder), clock: { chronyc } })
  const asker = new ChronyAsker(role)
  const controller = new AbortController()
  const asking = asker.ask(controller.signal)
  t.teardown(async () => {
    controller.abort()
    await asking
    role.close()
  })
  const clock = (): KeptClock => {
    const kept = asker.current()
    if (kept === null) throw new Error('nobody is asked')
    return kept
  }
  const becomes = (condition: KeptClock['condition']) =>
    until(() => (clock().condition === condition ? clock() : null), condition, 40)

  t.match(clock(), { condition: 'unknown', source: 'none', error: Number.POSITIVE_INFINITY }, 'there is none yet')
  const server = start(
    'server',
    `port ${time}`,
    'bindaddress 127.0.0.1',
    'allow 127.0.0.1',
    'local stratum 2',
    'cmdport 0',
  )
  start('client', source, 'port 0', `cmdport ${commands}`)
  // The same with a source that is said to be a quarter of a second behind, so that this chronyd takes its clock for late.
  start('ahead', `${source} offset 0.25`, 'port 0', `cmdport ${ahead}`)

  await t.test('that follows a server is known with an error that holds the true one', async t => {
    const { offset, error, source } = await becomes('synchronised')
    t.equal(source, '127.0.0.1')
    t.ok(error < 0.005, `stated ${error} s`)
    t.ok(
      Math.abs(offset) < 3 * error,
      `both follow one clock, so ${offset} s is all error, of which ${error} s is stated`,
    )
  })

  await t.test('passes on to sensing when it measured, not when it was asked', async t => {
    const exchange = new ExchangeReader(rolePaths(role.configuration.paths, 'uplink').exchange)
    t.teardown(() => exchange.close())
    const report = await until(() => {
      const said = exchange.get(clockKey)
      if (said === undefined) return null
      const report = clockReport.parse(JSON.parse(said.body.toString()))
      return report.measuredAfter === null ? null : report
    }, 'a measurement between two questions')
    t.ok((report.measuredAfter ?? 0) < report.asked)
    t.match(report.tracking, { leap: 'normal', stratum: 3 })
  })

  await t.test('says of a clock that is late what has to be added to it', async t => {
    const ask = (...options: string[]): string =>
      execFileSync('sh', ['-c', `${askingChronyd(ahead)} ${options.join(' ')} tracking`], { encoding: 'utf8' })
    t.match(ask('-n'), /System time +: 0[.]2[45]\d+ seconds slow of NTP time/)
    const { offset, error } = clockStatusOf(parseTracking(ask('-c', '-n')), Date.now() / 1000)
    t.ok(Math.abs(offset - 0.25) < 3 * error, `${offset} ± ${error} s`)
  })

  await t.test('whose server falls silent still says Normal, and is in holdover with a growing error', async t => {
    await server.stop()
    const { error } = await becomes('holdover')
    const said = execFileSync(chronyc, ['-c', '-n', 'tracking'], { encoding: 'utf8' })
    t.match(said, /,Normal\n$/)
    const later = await until(() => (clock().error > error ? clock() : null), 'a larger error')
    t.equal(later.condition, 'holdover')
  })

  await t.test('that has ended leaves a clock of which nothing is known', async t => {
    await started[1]?.stop()
    t.match(await becomes('unknown'), { error: Number.POSITIVE_INFINITY, source: 'none' })
  })
})
