import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type NamedGeometry, readGeometry } from './arrays.js'
import { drawCity, usualCity } from './city.js'
import { numberWithin, wholeWithin } from './options.js'
import { type GeometryClass, geometryClasses } from './placements.js'
import { type SourceKind, sourceKinds } from './source.js'
import { writeRecordingSet } from './write.js'

const geometries = fileURLToPath(new URL('../../../firmware-config/devices/microphone-arrays', import.meta.url))

const otherKinds = sourceKinds.filter(kind => kind !== 'gun')

function geometry(name: string): NamedGeometry {
  try {
    return readGeometry(name, geometries)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error))
  }
}

function kinds(text: string): SourceKind[] {
  return text.split(',').map(name => {
    const kind = otherKinds.find(known => known === name)
    if (kind === undefined) throw new InvalidArgumentError(`"${name}" is none of ${otherKinds.join(', ')}.`)
    return kind
  })
}

const program = new Command('simulate')
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .description('Renders a city block with gunshots as a recording set with truth, for `polewatch replay`.')
  .requiredOption('--out <directory>', 'where recording.json and the WAV files go')
  .option('--seed <number>', 'the same seed gives the same bytes', wholeWithin(0, 2 ** 32 - 1), usualCity.seed)
  .option('--gateways <count>', 'gateways', wholeWithin(1, 100), usualCity.gateways)
  .addOption(
    new Option('--class <class>', 'where the guns are relative to the gateways')
      .choices(geometryClasses)
      .default(usualCity.geometry),
  )
  .option('--spacing <metres>', 'distance between gateways', numberWithin(20, 2000), usualCity.spacing)
  .option('--guns <count>', 'guns, each at a place of its own', wholeWithin(0, 20), usualCity.guns)
  .option('--shots <count>', 'rounds that each gun fires', wholeWithin(1, 100), usualCity.shots)
  .option('--interval <seconds>', 'between rounds, about', numberWithin(0.02, 60), usualCity.interval)
  .option('--bullet-speed <speed>', 'metres a second; faster than sound adds a shock wave', numberWithin(50, 1500))
  .option('--sources <kinds>', `other sounds, comma between: ${otherKinds.join(', ')}`, kinds, [])
  .option(
    '--duration <seconds>',
    'length of the recordings (default: as long as the last shot needs)',
    numberWithin(1, 86_400),
  )
  .option('--rate <hertz>', 'sample rate', wholeWithin(8000, 192_000), usualCity.sampleRate)
  .addOption(new Option('--bits <bits>', 'bits a sample').choices(['16', '24']).default('16'))
  .option('--array <name>', 'geometry in firmware-config/devices/microphone-arrays (default: mono)', geometry)
  .option('--no-buildings', 'an open field: no echoes but from the ground')
  .option('--temperature <celsius>', 'temperature', numberWithin(-40, 60), usualCity.temperature)
  .option('--humidity <percent>', 'relative humidity', numberWithin(1, 100), usualCity.humidity)
  .option('--wind-speed <speed>', 'metres a second', numberWithin(0, 40), usualCity.windSpeed)
  .option('--wind-from <degrees>', 'where the wind comes from', numberWithin(0, 360), usualCity.windFrom)
  .option('--ambience <decibel>', "level of the city's hum", numberWithin(0, 110), usualCity.ambience ?? 0)
  .option('--rain <decibel>', 'level of rain (default: dry)', numberWithin(0, 110))
  .option(
    '--snr <decibel>',
    "peak of the sounds over the noise's root mean square (default: as it comes)",
    numberWithin(-20, 120),
  )
  .option('--clock-error <seconds>', 'standard deviation of the clocks', numberWithin(0, 10), usualCity.clockError)
  .option(
    '--survey-error <metres>',
    'standard deviation of the stated places, each axis',
    numberWithin(0, 100),
    usualCity.surveyError,
  )
  .option('--drift <ppm>', 'standard deviation of the sample clocks', numberWithin(0, 1000), usualCity.drift)
  .addHelpText(
    'after',
    '\nExample:\n  simulate --seed 7 --gateways 6 --class edge --shots 3 --sources slam,siren --out simulated',
  )

interface Options {
  readonly out: string
  readonly seed: number
  readonly gateways: number
  readonly class: GeometryClass
  readonly spacing: number
  readonly guns: number
  readonly shots: number
  readonly interval: number
  readonly bulletSpeed?: number
  readonly sources: SourceKind[]
  readonly duration?: number
  readonly rate: number
  readonly bits: '16' | '24'
  readonly array?: NamedGeometry
  readonly buildings: boolean
  readonly temperature: number
  readonly humidity: number
  readonly windSpeed: number
  readonly windFrom: number
  readonly ambience: number
  readonly rain?: number
  readonly snr?: number
  readonly clockError: number
  readonly surveyError: number
  readonly drift: number
}

program.parse()
const options = program.opts<Options>()
const scene = drawCity({
  seed: options.seed,
  gateways: options.gateways,
  geometry: options.class,
  spacing: options.spacing,
  guns: options.guns,
  shots: options.shots,
  interval: options.interval,
  bulletSpeed: options.bulletSpeed ?? null,
  others: options.sources,
  duration: options.duration ?? null,
  sampleRate: options.rate,
  array: options.array ?? usualCity.array,
  buildings: options.buildings,
  temperature: options.temperature,
  humidity: options.humidity,
  windSpeed: options.windSpeed,
  windFrom: options.windFrom,
  ambience: options.ambience,
  rain: options.rain ?? null,
  signalToNoise: options.snr ?? null,
  clockError: options.clockError,
  surveyError: options.surveyError,
  drift: options.drift,
})
const count = scene.gateways.length
let done = 0
const file = writeRecordingSet(scene, options.out, options.bits === '24' ? 24 : 16, (gateway, share) => {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${gateway.id}: ${Math.round(100 * share)} %  (${done + 1} of ${count}) `)
  if (share === 1) done++
})
if (process.stderr.isTTY) process.stderr.write('\n')
process.stdout.write(`${file}\n`)
