import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { chipNamed } from '../../drivers/digital-io/chip.js'
import { GpiomonInputs } from '../../drivers/digital-io/gpiomon.js'
import { systemClock } from '../../drivers/system-clock.js'
import { collect, endingContract, states } from '../contracts/driver.js'

const usual = { name: 'gate', chip: 'gpiochip0', lines: [5, 6], clock: systemClock, random: () => 0 }

test('gpiomon', async t => {
  const program = join(t.testdir({}), 'gpiomon')
  const uptime = Number(process.hrtime.bigint()) / 1e9
  writeFileSync(
    program,
    `#!/bin/sh
echo "Monitoring lines 5 and 6 of gpiochip0..."
echo "2 5 ${(uptime - 1).toFixed(9)}"
echo "nonsense"
echo "1 5 ${(uptime - 0.9).toFixed(9)}"
exec sleep 60
`,
  )
  chmodSync(program, 0o755)

  t.test('gives edges with the level and the time that the kernel saw', async t => {
    const before = systemClock.system()
    const items = await collect(new GpiomonInputs({ ...usual, program }), all => all.length === 3)
    t.same(states(items), ['ready'])
    t.match(items.slice(1), [
      { kind: 'edge', line: 5, level: 'low', dropped: 0 },
      { kind: 'edge', line: 5, level: 'high', dropped: 0 },
    ])
    const [, edge] = items
    t.ok(edge?.kind === 'edge' && Math.abs(edge.systemTime - before + 1) < 0.5)
  })

  t.test('that is not there, or ends, leaves the lines absent until it is', async t => {
    const items = await collect(new GpiomonInputs({ ...usual, program: `${program}.not` }), all => all.length === 1)
    t.same(states(items), ['absent device-absent'])
    const ending = join(t.testdir({}), 'gpiomon')
    writeFileSync(ending, '#!/bin/sh\necho "Monitoring line 5"\necho "no such chip" >&2\n')
    chmodSync(ending, 0o755)
    const again = await collect(new GpiomonInputs({ ...usual, program: ending }), all => all.length === 3)
    t.same(states(again), ['ready', 'absent device-absent', 'ready'])
  })

  t.test('is told the chip by a name that it knows, whatever its label', async t => {
    const detect = join(t.testdir({}), 'gpiodetect')
    writeFileSync(
      detect,
      '#!/bin/sh\necho "gpiochip0 [pinctrl-bcm2711] (58 lines)"\necho "gpiochip3 [gate box] (8 lines)"\n',
    )
    chmodSync(detect, 0o755)
    const chips = ['gate box', 'pinctrl-bcm2711', 'gpiochip7', '/dev/gpiochip2', '4', 'unknown']
    t.same(await Promise.all(chips.map(chip => chipNamed(chip, detect))), [
      ...['gpiochip3', 'gpiochip0', 'gpiochip7', '/dev/gpiochip2', '4', 'unknown'],
    ])
    t.equal(await chipNamed('gate box', `${detect}.not`), 'gate box')
  })

  endingContract(t, () => new GpiomonInputs({ ...usual, program }), 3)
})
