import { Command, Option } from 'commander'
import { formatTime } from '../../gateway/messages/time.js'
import { drawDay, usualDay } from './day.js'
import { keptSteps } from './day-arrivals.js'
import { followScene, hearScene, type Stretch, stretchesAround, wholeOf } from './day-network.js'
import { type DayFigures, DayScore, withoutGuns } from './day-score.js'
import { numberWithin, wholeWithin } from './options.js'
import { type SourceKind, sourceKinds } from './source.js'

/*
 * A simulated day of a city through the real hearing of all its gateways: how many shots are confirmed, and what else is.
 *
 *   npm run simulate:day -- [--hours N] [--seed S] [--around KIND...] [--arrivals FILE] [--json]
 */

/** Seconds that are listened to before a sound and after its end. */
const leadingSeconds = 6
const trailingSeconds = 6

const program = new Command('simulate-day')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .description(
    'Renders a day of city noise with gunshots, streams it through the hearing of all gateways, and holds what they publish against the truth. Everything about it is simulated.',
  )
  .option('--hours <number>', 'how long it is; shots and noises come in proportion', numberWithin(0.05, 168), 24)
  .option('--from <hour>', 'listen only from this hour on', numberWithin(0, 168), 0)
  .option('--until <hour>', 'listen only up to this hour (default: the end)', numberWithin(0, 168))
  .addOption(
    new Option('--around <kinds...>', 'listen only around sounds of these kinds, a tenth or less of the work').choices(
      sourceKinds,
    ),
  )
  .option('--arrivals <file>', 'keep what the gateways heard here, and take it from here the next time')
  .option('--seed <number>', 'the same seed gives the same day', wholeWithin(0, 2 ** 32 - 1), usualDay.seed)
  .option('--gateways <count>', 'gateways', wholeWithin(3, 40), usualDay.gateways)
  .option('--rate <hertz>', 'sample rate', wholeWithin(8000, 96_000), usualDay.sampleRate)
  .option('--json', 'one JSON object, and progress as NDJSON on standard error')

program.parse()
const { hours, from, until, around, arrivals, seed, gateways, rate, json } = program.opts<{
  readonly hours: number
  readonly from: number
  readonly until?: number
  readonly around?: readonly SourceKind[]
  readonly arrivals?: string
  readonly seed: number
  readonly gateways: number
  readonly rate: number
  readonly json?: boolean
}>()
const shots = Math.max(1, Math.round((usualDay.shots * hours) / usualDay.hours))
const day = drawDay({ seed, hours, gateways, shots, sampleRate: rate })
const limits = { from: 3600 * from, until: Math.min(day.duration, 3600 * (until ?? hours)) }
const lively =
  around === undefined ? [wholeOf(day)] : stretchesAround(day, new Set(around), leadingSeconds, trailingSeconds)
const stretches = lively.flatMap((stretch): Stretch[] => {
  const within = { from: Math.max(stretch.from, limits.from), until: Math.min(stretch.until, limits.until) }
  return within.from < within.until ? [within] : []
})
const score = new DayScore(day, stretches)
const kept = { hours, seed, gateways, rate, stretches }
const chances = stretchesAround(day, new Set<SourceKind>(['gun']), leadingSeconds, 0).filter(chance =>
  stretches.some(stretch => chance.from < stretch.until && chance.until > stretch.from),
)
const silent = withoutGuns(day)
for (const { heard } of keptSteps(arrivals && `${arrivals}.chance`, { ...kept, chances }, () =>
  hearScene(silent, chances),
))
  for (const { gateway, arrivals } of heard) score.heardWithoutGuns(gateway, arrivals)
const steps = keptSteps(arrivals, kept, () => hearScene(day, stretches))
let [told, heapMegabytes] = [0, 0]
followScene(day, steps, {
  heard: (gateway, arrivals) => score.heard(gateway, arrivals),
  published: (_, revision) => score.published(revision),
  progress: seconds => {
    if (seconds % 60 === 0) heapMegabytes = Math.max(heapMegabytes, process.memoryUsage().heapUsed / 2 ** 20)
    const hour = Math.floor(seconds / 3600)
    if (hour === told) return
    told = hour
    const { heard, confirmed, falseAlerts } = score.figures()
    const line = {
      hour,
      cpuSeconds: Math.round(process.cpuUsage().user / 1e6),
      heard,
      confirmed,
      falseAlerts: falseAlerts.length,
    }
    process.stderr.write(`${JSON.stringify(line)}\n`)
  },
})
const figures = score.figures()
const { user, system } = process.cpuUsage()
const run = {
  simulated: true,
  hours,
  listened: stretches.reduce((sum, stretch) => sum + (stretch.until - stretch.from) / 3600, 0),
  around: around ?? null,
  seed,
  gateways,
  sampleRate: rate,
  cpuSeconds: Math.round((user + system) / 1e6),
  heapMegabytes: Math.round(heapMegabytes),
}
if (json) console.log(JSON.stringify({ ...run, ...figures, missed: score.missed() }))
else print(figures)

function print(day: DayFigures): void {
  const share = (part: number, whole: number): string => (whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`)
  const metres = (value: number | null): string => (value === null ? '-' : `${value.toFixed(1)} m`)
  console.log(
    `Simulated: ${Number(run.listened.toFixed(2))} of ${hours} hours of city noise at ${gateways} gateways with ${day.shots} shots, seed ${seed}. No recording of a real day.`,
  )
  console.log(`  shots that at least four gateways heard   ${day.heard}`)
  console.log(`    confirmed: final, with a place, likely  ${day.confirmed}  (${share(day.confirmed, day.heard)})`)
  console.log(`  shots confirmed in all                    ${day.confirmedAtAll}`)
  console.log(`    error, median and 90 %                  ${metres(day.medianError)}  ${metres(day.error90)}`)
  console.log(`    within 25 m                             ${share(day.within25, day.confirmedAtAll)}`)
  console.log(`    inside the 95 % ellipse                 ${share(day.insideEllipse, day.confirmedAtAll)}`)
  console.log(`  confirmed alerts that are false           ${day.falseAlerts.length}`)
  for (const { incident, time, probability, gateways: heardBy, distance, after } of day.falseAlerts)
    console.log(
      `    ${formatTime(time, 3)}  ${incident}  ${probability.toFixed(2)}  by ${heardBy} gateways, ${metres(distance)} from the nearest  after: ${after.join(', ') || 'nothing'}`,
    )
  console.log(`  shots too many in true alerts             ${day.spareShots}`)
  console.log(`  alerts about shots told before            ${day.doubledIncidents}`)
  console.log(`  final alerts that say they are likely not ${day.doubted}`)
  console.log(`  final alerts without a place              ${day.heardOnly}`)
  for (const { time, hearers } of score.missed())
    console.log(`  missed: ${formatTime(time, 3)}, heard by ${hearers} gateways`)
  console.log(`  arrivals of all gateways                  ${day.arrivals}`)
  console.log(`  CPU ${run.cpuSeconds} s, most memory in use ${run.heapMegabytes} MB`)
}
