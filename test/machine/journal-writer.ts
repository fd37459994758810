import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { verifyChain } from '../../gateway/journal/audit.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { bytesOf, draft, openJournal } from '../journal/drafts.js'

/*
 * For the power cuts: `journal-writer.js write FOLDER` appends until it ends with the machine and prints each number that
 * was confirmed; `count FOLDER` prints the last number held, and fails when what is held is not whole.
 */
const [, , task, folder = ''] = process.argv
const path = join(folder, 'sensing.journal.db')
const source = '/harbour/pole-17/sensing/gunfire'

if (task === 'write') {
  const journal = openJournal(path)
  for (let round = 0; ; round += 1) {
    await Promise.all(
      Array.from({ length: 1 + (round % 4) }, (_, index) =>
        journal
          .append(draft('gunfire', 200 + ((round * 37 + index) % 900)))
          .then(({ sequence }) => process.stdout.write(`${sequence}\n`)),
      ),
    )
  }
} else if (!existsSync(path)) {
  process.stdout.write('0\n')
} else {
  // Opening recovers the file, as the gateway does when it starts.
  const journal = openJournal(path)
  if (journal.condition.setAside !== null) throw new Error('The journal was damaged and has been set aside.')
  const reader = new JournalReader(path)
  const held = reader.read(source, journal.epoch ?? '', 0, 10_000_000)
  held.forEach((alert, index) => {
    if (alert.sequence !== index + 1) throw new Error(`Number ${index + 1} is missing.`)
    if (!alert.bytes.equals(bytesOf(alert, alert.bytes.length))) throw new Error(`Number ${alert.sequence} is altered.`)
  })
  const verdict = verifyChain(path)
  if (!verdict.valid) throw new Error(`The audit chain does not hold: ${JSON.stringify(verdict)}`)
  process.stdout.write(`${held.length}\n`)
  reader.close()
  journal.close()
}
