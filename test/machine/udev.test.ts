import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { test } from 'tap'
import { SerialAdapter } from './serial-adapter.js'
import { must } from './shell.js'

/*
 * The lines of firmware-config/host/90-polewatch.rules, those in comments too, by the udev that a unit has. Runs in the test machine only.
 */

const rules = readFileSync('/polewatch/project/firmware-config/host/90-polewatch.rules', 'utf8')
const installed = '/run/udev/rules.d/90-polewatch.rules'

async function install(text: string): Promise<void> {
  writeFileSync(installed, text)
  await must('udevadm control --reload; udevadm settle')
}

test('the rules for udev', async t => {
  await must('mkdir -p /run/udev/rules.d; systemd-sysusers /polewatch/project/systemd/sysusers.conf')
  t.teardown(() => must(`rm -f ${installed}; udevadm control --reload`))
  const all = rules.replace(/^#(?=\w+==)/gm, '')

  await t.test('are understood, also where those in comments are wanted', async t => {
    t.not(all, rules)
    for (const text of [rules, all]) {
      writeFileSync(installed, text)
      t.match(await must(`udevadm verify --no-style ${installed} 2>&1`), /Success: *1/)
    }
  })

  await t.test('name a sound card by the port at which it is', async t => {
    await must('modprobe -r snd-aloop')
    // The card of this machine hangs at a port of another kind.
    await install(all.replace('KERNELS=="1-1.2"', 'KERNELS=="snd_aloop.0"'))
    await must('modprobe snd-aloop; udevadm settle')
    while (!existsSync('/proc/asound/north')) await pause(20)
    t.match(await must('arecord -q -D hw:CARD=north,DEV=0 -f S16_LE -c 2 -r 48000 -d 1 /dev/null; echo heard'), /heard/)
    await must('modprobe -r snd-aloop')
  })

  await t.test('keep a serial adapter awake, and let the gateway use chips of switches', async t => {
    const adapter = await SerialAdapter.find()
    const { power } = adapter
    writeFileSync(power, 'auto')
    await install(rules)
    await adapter.plug()
    await must('udevadm settle')
    t.equal(readFileSync(power, 'utf8').trim(), 'on')
    await adapter.close()
    await must(
      'modprobe gpio-sim; cd /sys/kernel/config/gpio-sim; mkdir -p udev/bank0; echo 8 >udev/bank0/num_lines; echo 1 >udev/live; udevadm settle',
    )
    const chip = (await must('cat /sys/kernel/config/gpio-sim/udev/bank0/chip_name')).trim()
    t.equal((await must(`stat -c '%G %a' /dev/${chip}`)).trim(), 'polewatch 660')
    await must('cd /sys/kernel/config/gpio-sim; echo 0 >udev/live; rmdir udev/bank0 udev')
  })
})
