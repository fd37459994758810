import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { Bell } from '../../gateway/journal/bell.js'
import { signingKeyFromPem } from '../../gateway/messages/keys.js'
import { faultDraft, gunfireDraft } from './drafts.js'
import { Sensing } from './gateway.js'
import { sleep } from './waiting.js'

/*
 * The sensing process of the benchmark. `fill`: appends so many faults as fast as it can. `gunfire`: appends a gunshot an
 * interval until it is killed. Either writes a line when it is done or each gunshot was confirmed.
 */

const settings = z
  .object({
    folder: z.string(),
    bells: z.string(),
    sensingKey: z.string(),
    task: z.enum(['fill', 'gunfire']),
    count: z.number(),
    interval: z.number(),
    disk: z.boolean(),
  })
  .parse(JSON.parse(process.argv[2] ?? '{}'))
const { folder, task, count, interval } = settings

const bell = new Bell(join(settings.bells, 'sensing.bell'))
const sensing = new Sensing({
  gateway: 'pole-1',
  folder,
  sensingKey: signingKeyFromPem(settings.sensingKey),
  byteLimit: 2 ** 30,
  onBell: news => bell.ring(news),
})

if (task === 'fill') {
  for (let done = 0; done < count; done += 1000) {
    await Promise.all(
      Array.from({ length: Math.min(1000, count - done) }, (_, index) =>
        sensing.append(faultDraft(`number ${done + index}`)),
      ),
    )
  }
  process.stdout.write('filled\n')
  sensing.journal.close()
} else {
  const plain = openSync(join(folder, 'plain'), 'a')
  const block = Buffer.alloc(1024, 'x')
  const wall = () => performance.timeOrigin + performance.now()
  for (let number = 0; number < count; number += 1) {
    const began = wall()
    const place = await sensing.append(gunfireDraft(`incident-${number}`))
    const confirmed = wall()
    // Whoever reads this line must not take a core from the alert that is on its way.
    await sleep(interval / 2)
    process.stdout.write(`${place} ${began} ${confirmed}\n`)
    if (settings.disk) {
      const started = performance.now()
      writeSync(plain, block)
      fdatasyncSync(plain)
      process.stdout.write(`disk ${performance.now() - started}\n`)
    }
    await sleep(Math.max(0, began + interval - wall()))
  }
  closeSync(plain)
  process.stdout.write('done\n')
  await sleep(600_000)
}
