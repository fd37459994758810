import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { verifyChain } from '../../gateway/journal/audit.js'
import type { Priority } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { draft, openJournal } from './drafts.js'

// Run in a mount namespace of its own, `small-disk.js FOLDER`: mounts a disk of 16 MB there, fills it, makes it
// read-only and writable again, and prints what the journal said of each as JSON.
const [, , folder = ''] = process.argv
const mount = (options: string): unknown =>
  execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', folder], { stdio: ['ignore', 'inherit', 'inherit'] })
mount('size=16m')

const path = join(folder, 'sensing.journal.db')
const journal = openJournal(path)
const tell = (step: string, result: unknown): boolean =>
  process.stdout.write(`${JSON.stringify({ step, result, fault: journal.condition.fault?.code ?? null })}\n`)
const tryAppend = (priority: Priority): Promise<unknown> =>
  journal.append(draft(priority, 30_000)).then(
    ({ sequence }) => sequence,
    (error: { code: string }) => error.code,
  )

let stored = 0
while (journal.condition.fault === null) {
  await journal.append(draft('rest', 30_000))
  stored += 1
}
tell('full', stored)
let refused = 0
for (let count = 0; count < 300; count += 1) {
  if (typeof (await tryAppend('rest')) !== 'number') refused += 1
}
tell('refused since', refused)
tell('gunshot', await tryAppend('gunfire'))
const reader = new JournalReader(path)
const extents = reader
  .streams()
  .map(({ priority, firstSequence, lastSequence }) => [priority, firstSequence, lastSequence])
tell('readable', extents)
tell(
  'shed',
  journal.pendingShed().map(({ priority, firstSequence, lastSequence }) => [priority, firstSequence, lastSequence]),
)
tell('purged', (await journal.purge(source => (source.endsWith('/rest') ? stored + 300 : 0))).rows)
reader.close()
journal.close()
tell('chain', verifyChain(path))

mount('remount,ro')
const waiting = openJournal(path)
const report = (step: string, result: unknown): boolean =>
  process.stdout.write(`${JSON.stringify({ step, result, fault: waiting.condition.fault?.code ?? null })}\n`)
report('begun read-only', waiting.epoch)
report('read-only', await waiting.append(draft('gunfire')).catch(error => String(error.code)))
mount('remount,rw')
await new Promise(resolve => setTimeout(resolve, 1100))
report('writable again', (await waiting.append(draft('gunfire'))).sequence)
waiting.close()
