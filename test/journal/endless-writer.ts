import { draft, openJournal } from './drafts.js'

// Appends until it is killed, and prints what was confirmed: `endless-writer.js PATH BYTE_LIMIT`.
const [, , path = '', byteLimit = ''] = process.argv
const journal = openJournal(path, { byteLimit: Number(byteLimit) })
process.stdout.write(`epoch ${journal.epoch}\n`)
for (let round = 0; ; round += 1) {
  const burst = Array.from({ length: 1 + (round % 5) }, (_, index) =>
    journal.append(draft(index % 2 === 0 ? 'gunfire' : 'rest', 200 + ((round * 37) % 900))).then(
      ({ source, sequence }) => process.stdout.write(`${sequence} ${source}\n`),
      error => process.stdout.write(`refused ${String(error.code)}\n`),
    ),
  )
  await Promise.all(burst)
  if (journal.condition.fault !== null) await new Promise(resolve => setTimeout(resolve, 100))
  if (round % 20 === 19 && journal.condition.fault === null)
    await journal.purge(source => (source.endsWith('/rest') ? round : 0))
}
