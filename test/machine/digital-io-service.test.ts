import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import type { Level } from '../../drivers/digital-io/drive.js'
import { Chip, label } from './gpio-chip.js'
import { must } from './shell.js'

/*
 * What becomes of outputs when the process that drives them is killed, alone and within the sandbox of the unit polewatch-sensing. Runs in
 * the test machine only.
 */

/** Drives line 3 high as long as it runs, and prints what the driver says of the chip. */
function holderProgram(driver: Driver): string {
  const file = `/run/holder-${driver}.mjs`
  const drivers = '/polewatch/project/dist/drivers'
  writeFileSync(
    file,
    `
    import { LibgpiodIo } from '${drivers}/digital-io/libgpiod.js'
    import { SysfsIo } from '${drivers}/digital-io/sysfs.js'
    import { systemClock } from '${drivers}/system-clock.js'
    const outputs = [{ line: 3, released: 'low' }]
    const options = { name: 'gate', chip: '${label}', inputs: [1], outputs, clock: systemClock }
    const io = ${driver === 'libgpiod' ? 'new LibgpiodIo(options)' : 'new SysfsIo(options)'}
    const controller = new AbortController()
    process.once('SIGTERM', () => controller.abort())
    for await (const item of io.readings(controller.signal)) {
      if (item.kind !== 'state') continue
      console.log(item.fault ?? item.state)
      if (item.state === 'ready') io.set(3, { level: 'high', changes: [] })
    }`,
  )
  return file
}

type Driver = 'libgpiod' | 'sysfs'
const drivers: readonly Driver[] = ['libgpiod', 'sysfs']

async function comesTo(chip: Chip, level: Level): Promise<void> {
  while (chip.levelOf(3) !== level) await pause(20)
}

test('a process that is killed leaves no output energised and no line held', async t => {
  await must('modprobe gpio-sim')
  for (const driver of drivers) {
    const chip = new Chip(`killed-${driver}`)
    await chip.plug()
    const child = spawn(process.execPath, [holderProgram(driver)], { stdio: ['ignore', 'ignore', 'inherit'] })
    await comesTo(chip, 'high')
    // As systemd does it when the main process has died: whoever is left in the service gets SIGTERM, and the guard has to outlive it.
    child.kill('SIGKILL')
    await must('pkill -TERM -f "[t]rap .. TERM"; true')
    await comesTo(chip, 'low')
    t.pass(`${driver}: released`)
    while (/gpiomon|gpioset/.test(await must('ps -e -o comm='))) await pause(20)
    t.pass(`${driver}: nobody holds a line`)
    await must(
      'for line in 513 515; do [ ! -e /sys/class/gpio/gpio$line ] || echo $line >/sys/class/gpio/unexport; done',
    )
    await chip.unplug()
  }
})

/** Runs the holder as the service polewatch-sensing runs its program, with the drop-in of docs/switches.md or without. */
async function startService(driver: Driver, dropIn: string): Promise<void> {
  const unit = readFileSync('/polewatch/project/systemd/polewatch-sensing.service', 'utf8')
    .replace(
      /^ExecStart=.*$/m,
      `ExecStart=/usr/bin/node ${holderProgram(driver)}\nStandardOutput=truncate:/run/holder.log`,
    )
    .replace(/^(ConditionPathExists|Watchdog|PartOf).*$/gm, '')
    .replace('Type=notify', 'Type=exec')
  writeFileSync('/run/systemd/system/holder.service', `${unit}${dropIn}\n`)
  await must('systemctl daemon-reload; systemctl start holder.service')
}

test('the service polewatch-sensing may do what its switches need, and no more without the drop-in', async t => {
  await must(`
    modprobe gpio-sim
    systemd-sysusers /polewatch/project/systemd/sysusers.conf
    mkdir -p /var/lib/polewatch /run/polewatch
    sed 's/^#SUBSYSTEM=="gpio"/SUBSYSTEM=="gpio"/' /polewatch/project/firmware-config/host/90-polewatch.rules >/etc/udev/rules.d/90-polewatch.rules
    udevadm control --reload`)
  const log = () => readFileSync('/run/holder.log', 'utf8').trim().split('\n')
  const chip = new Chip('service')
  await chip.plug()
  await startService('sysfs', '')
  while (!existsSync('/run/holder.log') || log()[0] === '') await pause(20)
  t.same(log()[0], 'device-refused')
  await must('systemctl stop holder.service')
  for (const driver of drivers) {
    await startService(driver, driver === 'sysfs' ? 'ReadWritePaths=/sys/class/gpio /sys/devices/platform' : '')
    await comesTo(chip, 'high')
    t.same(log(), ['ready'], driver)
    await must('systemctl kill --kill-whom=main --signal=KILL holder.service')
    await comesTo(chip, 'low')
    await comesTo(chip, 'high')
    t.pass(`${driver}: released when it was killed, and driven again by the next`)
    await must('systemctl stop holder.service')
    t.equal(chip.levelOf(3), 'low', `${driver}: released at its end`)
  }
  await chip.unplug()
})
