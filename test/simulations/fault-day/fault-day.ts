/**
 * A day of a pole on which everything goes wrong, as fast as it goes: microphones, cameras, readers, receiver, board and switches are
 * unplugged, fall silent, make noise or break at random, all at once, and the clock is set again and again. The drivers and the
 * supervision are the gateway's own. It must not crash, no part may be stuck, nothing may leak, and each fault must be told once
 * when it begins and once when it is over. 24 hours take about ten minutes. Exits with 1 where anything else was seen.
 *
 *   npm run fault-day -- [--hours N] [--seed N] [--json]
 */
import { Command, InvalidArgumentError } from 'commander'
import { faultDay } from './day.js'

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('It has to be a number above 0.')
  return value
}

const command = new Command()
  .option('--hours <N>', 'length of the day', positive, 24)
  .option('--seed <N>', 'the same seed makes the same day', positive, 1)
  .option('--json', 'one object instead of sentences')
  .parse()
const { hours, seed, json = false } = command.opts<{ hours: number; seed: number; json?: boolean }>()

const began = performance.now()
const result = await faultDay({
  hours,
  seed,
  progress: (hour, told) => {
    if (!json) process.stderr.write(`\rhour ${hour} of ${hours}, ${told} words of faults`)
  },
})
const { episodes, told, delivered, held, complaints } = result
const seconds = Math.round((performance.now() - began) / 1000)
if (json)
  console.log(
    JSON.stringify({ hours, seed, seconds, episodes: episodes.length, told: told.length, delivered, held, complaints }),
  )
else {
  const raised = told.filter(({ state }) => state === 'raised').length
  console.log(
    `\n${hours} hours in ${seconds} s, seed ${seed}: ${episodes.length} troubles, ${raised} faults raised, ${told.length - raised} cleared`,
  )
  for (const [part, count] of Object.entries(delivered)) console.log(`  ${part} delivered ${count}`)
  for (const { heap, files, sleepers } of held) {
    console.log(`  held: heap ${(heap / 1024 / 1024).toFixed(1)} MiB, ${files} open files, ${sleepers} sleeping tasks`)
  }
  for (const complaint of complaints) console.log(`  WRONG: ${complaint}`)
  if (complaints.length === 0)
    console.log('  no crash, no stuck part, no leak; every fault was raised once and cleared once')
}
process.exitCode = complaints.length === 0 ? 0 : 1
