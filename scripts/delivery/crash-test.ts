/*
 * The crash test: a sender that makes alerts at a steady rate and is killed again and again, a broker that loses its power,
 * a hub that is killed. Counts what was lost, out of order, or twice; and beside it the same for mqtt.js with its default
 * store, without kills of the hub. Against Mosquitto with TLS 1.3 and client certificates made for the run.
 *   npm run crash-test [-- --seeds N] [--seed FIRST] [--alerts 2000] [--rate 200] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { clientTls, makeCertificates } from './certificates.js'
import { type CrashPlan, planOf } from './crash-plan.js'
import { type CrashResult, crashPlain, crashPolewatch } from './crash-run.js'
import { mosquittoProgram, startableMosquitto } from './mosquitto.js'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    alerts: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '200' },
    json: { type: 'boolean', default: false },
  },
})
if (mosquittoProgram === undefined) {
  process.stderr.write('Mosquitto is not installed; the crash test needs it (Debian: apt-get install mosquitto).\n')
  process.exit(2)
}

const first = Number(values.seed)
const results: CrashResult[] = []
for (let seed = first; seed < first + Number(values.seeds); seed += 1) {
  const plan = planOf(seed, Number(values.alerts), Number(values.rate))
  for (const run of [crashPolewatch, crashPlain]) {
    const result = await inFolder(plan, run)
    results.push(result)
    if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
    else tell(result)
  }
}
// mqtt.js is there to be compared with; only polewatch has made a promise.
const broken = results.filter(result => result.sender === 'polewatch' && !result.kept)
if (!values.json) {
  process.stdout.write(
    broken.length === 0
      ? 'Nothing lost, nothing out of order, nothing counted twice, and no more on the wire than promised.\n'
      : `The promise was broken with seed ${broken.map(({ seed }) => seed).join(', ')}.\n`,
  )
}
process.exitCode = broken.length === 0 ? 0 : 1

async function inFolder(plan: CrashPlan, run: typeof crashPlain): Promise<CrashResult> {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-crash-'))
  const certificates = makeCertificates(folder)
  const broker = await startableMosquitto({ certificates })
  try {
    return await run(plan, folder, broker, clientTls(certificates))
  } finally {
    await broker.remove()
    rmSync(folder, { recursive: true, force: true })
  }
}

function tell(result: CrashResult): void {
  const columns: [string, number, string | number][] = [
    ['seed', 4, result.seed],
    ['sender', 10, result.sender],
    ['alerts', 7, result.accepted],
    ['kills', 6, result.senderKills],
    ['outages', 8, result.outages],
    ['hub kills', 10, result.hubKills],
    ['lost', 6, result.lost],
    ['out of order', 13, result.outOfOrder],
    ['counted twice', 14, result.undetectedDuplicates],
    ['twice on the wire', 18, `${result.wireDuplicates} of ${result.wireLimit}`],
    ['seconds', 8, result.seconds.toFixed(0)],
  ]
  if (results.length === 1) process.stdout.write(`${columns.map(([name, width]) => name.padStart(width)).join(' ')}\n`)
  process.stdout.write(`${columns.map(([, width, value]) => String(value).padStart(width)).join(' ')}\n`)
}
