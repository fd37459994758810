import { spawn } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import { t as file, type Test, test } from 'tap'
import { z } from 'zod'
import { TangentPlane } from '../../gateway/acoustics/geodesy.js'

const main = join(process.cwd(), 'dist', 'gateway', 'main.js')
const demonstration = join(process.cwd(), 'scripts', 'demonstration', 'live-fire')
const recordingSet = join(demonstration, 'recording.json')

// Six replays on a busy machine take longer than tap waits.
file.setTimeout(180_000)

const setSchema = z.looseObject({
  origin: z.object({ latitude: z.number(), longitude: z.number(), altitude: z.number() }),
  gateways: z.array(z.looseObject({ id: z.string(), audio: z.string() })),
  truth: z.object({ shots: z.array(z.looseObject({ position: z.object({ east: z.number(), north: z.number() }) })) }),
})
const eventSchema = z.object({
  type: z.string(),
  data: z.object({
    incident: z.string(),
    state: z.string(),
    shots: z.array(z.object({ position: z.object({ latitude: z.number(), longitude: z.number() }).nullable() })),
  }),
})

interface Outcome {
  readonly status: number | null
  readonly output: string
  readonly errors: string
}

async function replay(...words: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [main, 'replay', ...words], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    output += chunk
  })
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    errors += chunk
  })
  const status = await new Promise<number | null>(resolve => child.once('close', resolve))
  return { status, output, errors }
}

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-replay-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A copy of the demonstration's set, its recordings cut after the last shot has been heard, with one thing made bad. */
function badCopy(
  folder: string,
  title: string,
  spoil: (audio: string, set: z.infer<typeof setSchema>) => void,
): string {
  const copy = join(folder, title)
  mkdirSync(copy)
  for (const name of readdirSync(demonstration)) {
    if (!name.endsWith('.wav')) continue
    const bytes = readFileSync(join(demonstration, name)).subarray(0, 44 + 2 * 12_000 * 5.2)
    bytes.writeUInt32LE(bytes.length - 44, 40)
    writeFileSync(join(copy, name), bytes)
  }
  const set = setSchema.parse(JSON.parse(readFileSync(recordingSet, 'utf8')))
  spoil(join(copy, set.gateways[0]?.audio ?? ''), set)
  const copied = join(copy, 'recording.json')
  writeFileSync(copied, JSON.stringify(set))
  return copied
}

/** Metres from the truth of every shot in the last revisions of the incidents. */
function distances(output: string): number[] {
  const { origin, truth } = setSchema.parse(JSON.parse(readFileSync(recordingSet, 'utf8')))
  const plane = new TangentPlane(origin)
  const events = output
    .trim()
    .split('\n')
    .filter(Boolean)
    .map(line => eventSchema.parse(JSON.parse(line)))
  const last = new Map(events.map(({ data }) => [data.incident, data]))
  return [...last.values()]
    .filter(({ state }) => state !== 'withdrawn')
    .flatMap(({ shots }) => shots)
    .map(({ position }) => {
      if (position === null) return Number.POSITIVE_INFINITY
      const { east, north } = plane.toLocal({ ...position, altitude: origin.altitude })
      return Math.min(...truth.shots.map(shot => Math.hypot(shot.position.east - east, shot.position.north - north)))
    })
}

/** What is wrong with a text as XML 1.0, as far as it has elements, attributes and character references; null if nothing. */
function faultOfXml(text: string): string | null {
  const body = text.replace(/^<\?xml [^?]*\?>\s*/, '')
  const open: string[] = []
  const piece =
    /<(\/?)([A-Za-z][\w:.-]*)((?:\s+[A-Za-z][\w:.-]*="(?:[^<&"]|&(?:amp|lt|gt|quot);)*")*)\s*(\/?)>|([^<]+)/y
  while (piece.lastIndex < body.length) {
    const at = piece.lastIndex
    const found = piece.exec(body)
    if (found === null) return `not XML from ${body.slice(at, at + 60)}`
    const [, closing, name = '', attributes = '', empty, words = ''] = found
    if (/&(?!(amp|lt|gt|quot);)/.test(words)) return `a bare ampersand in ${words}`
    if (words.trim() !== '' && open.length === 0) return `words outside the root: ${words}`
    const names = [...attributes.matchAll(/\s([\w:.-]+)="/g)].map(([, attribute]) => attribute)
    if (new Set(names).size < names.length) return `an attribute twice in ${name}`
    if (name === '') continue
    if (closing === '/' && open.pop() !== name) return `</${name}> closes something else`
    if (closing === '' && empty === '') open.push(name)
  }
  return open.length === 0 ? null : `<${open.at(-1)}> is not closed`
}

/** Width and height of a PNG whose pixels can be unpacked and are as many as it says. */
function pictureSize(base64: string): { width: number; height: number } | null {
  const bytes = Buffer.from(base64, 'base64')
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
  const data = bytes.indexOf('IDAT')
  const pixels = inflateSync(bytes.subarray(data + 4, data + 4 + bytes.readUInt32BE(data - 4)))
  return bytes.toString('latin1', 1, 4) === 'PNG' && pixels.length === height * (width + 1) ? { width, height } : null
}

test('the demonstration is found within 25 m, in the same bytes twice, with a picture or without', async t => {
  const folder = temporaryFolder(t)
  const picture = join(folder, 'replay.svg')
  const [first, second] = await Promise.all([
    replay('--json', recordingSet),
    replay('--json', '--plot', picture, recordingSet),
  ])
  t.equal(first.status, 0)
  t.equal(first.errors, '')
  t.equal(second.status, 0)
  t.equal(second.output, first.output)
  const away = distances(first.output)
  t.equal(away.length, 3)
  t.ok(
    away.every(distance => distance < 25),
    `${away.map(distance => distance.toFixed(1)).join(', ')} m from the truth`,
  )

  const svg = readFileSync(picture, 'utf8')
  t.equal(faultOfXml(svg), null)
  t.match(svg, /<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  // Packed pixels may spell anything, and do so differently with each zlib.
  const drawn = svg.replace(/base64,[A-Za-z0-9+/=]+/g, '')
  t.notMatch(drawn, /<script|NaN|Infinity|undefined/)
  t.ok(svg.length < 1_000_000, `${svg.length} bytes`)
  const count = (pattern: RegExp): number => svg.match(pattern)?.length ?? 0
  t.equal(count(/class="gateway"/g), 6, 'six gateways on the map')
  t.equal(count(/class="waterfall"/g), 6, 'six strips')
  for (let gateway = 1; gateway <= 6; gateway++) t.ok(svg.includes(`gateway pole-${gateway}`), `pole-${gateway}`)
  const map = svg.slice(svg.indexOf('id="map"'), svg.indexOf('id="shots"'))
  t.equal(map.match(/<ellipse /g)?.length, 3, 'three ellipses on the map')
  t.equal(map.match(/<title>shot [123]: 95 % within/g)?.length, 3)
  t.equal(count(/>shot [123]: \d\d:\d\d:\d\d\.\d{3} UTC, residual/g), 18, 'an onset for each shot at each gateway')
  const pictures = [...svg.matchAll(/data:image\/png;base64,([A-Za-z0-9+/=]+)"/g)]
  t.equal(pictures.length, 6)
  for (const [, base64 = ''] of pictures) {
    const size = pictureSize(base64)
    t.ok(size !== null && size.width > 500 && size.height > 40, 'a spectrogram that can be unpacked')
  }
})

test('a recording that is bad is named and the others are used', async t => {
  const folder = temporaryFolder(t)
  const truncated = badCopy(folder, 'truncated', audio => {
    const bytes = readFileSync(audio)
    bytes.writeUInt32LE(240_000, 40)
    writeFileSync(audio, bytes)
  })
  const silent = badCopy(folder, 'no-sound', audio => writeFileSync(audio, 'This is a text and no sound.'))
  const slow = badCopy(folder, 'slow', audio => {
    const bytes = readFileSync(audio)
    bytes.writeUInt32LE(4000, 24)
    bytes.writeUInt32LE(8000, 28)
    writeFileSync(audio, bytes)
  })
  const unknown = badCopy(folder, 'unknown-array', (_, set) => {
    for (const gateway of set.gateways.slice(0, 1)) gateway.array = 'respeeker-4'
  })
  const picture = join(folder, 'slow.svg')
  const outcomes = await Promise.all([
    replay('--json', truncated),
    replay('--json', silent),
    replay('--json', '--plot', picture, slow),
    replay('--json', unknown),
  ])
  const { gateways } = setSchema.parse(JSON.parse(readFileSync(recordingSet, 'utf8')))
  const codes = ['PW_RECORDING_TRUNCATED', 'PW_RECORDING_NOT_AUDIO', 'PW_SAMPLE_RATE', 'PW_RECORDING_ARRAY']
  outcomes.forEach(({ status, output, errors }, index) => {
    const code = codes[index] ?? ''
    t.equal(status, 1, code)
    const { error } = JSON.parse(errors)
    t.equal(error.code, code)
    t.ok(error.message.includes(gateways[0]?.id), error.message)
    const near = distances(output).filter(distance => distance < 25)
    t.ok(near.length >= 3, `${code}: ${near.length} shots found`)
  })
  const svg = readFileSync(picture, 'utf8')
  t.equal(faultOfXml(svg), null)
  t.match(svg, />PW_SAMPLE_RATE</, 'the picture names what was wrong')
})

test('a set without gateways is no mistake: nothing was heard', async t => {
  const empty = badCopy(temporaryFolder(t), 'empty', (_, set) => {
    set.gateways = []
  })
  t.match(await replay('--json', empty), { status: 0, output: '', errors: '' })
  t.match(await replay(empty), { status: 0, output: 'The set has no gateways.\n', errors: '' })
})

test('a set that cannot be used, or a picture that cannot be drawn, ends the command before it listens', async t => {
  const folder = temporaryFolder(t)
  const same = badCopy(folder, 'same-names', (_, set) => {
    for (const gateway of set.gateways) gateway.id = 'pole-1'
  })
  const plain = await replay(same)
  t.equal(plain.status, 1)
  t.equal(plain.output, '')
  t.match(plain.errors, /PW_RECORDING_SET.*two gateways have one id/)

  const missing = await replay('--json', join(folder, 'absent.json'))
  t.equal(missing.status, 1)
  t.equal(missing.output, '')
  t.equal(JSON.parse(missing.errors).error.code, 'PW_RECORDING_SET')

  const raster = join(folder, 'replay.png')
  const png = await replay('--json', '--plot', raster, recordingSet)
  t.equal(png.status, 2)
  t.equal(png.output, '')
  t.match(JSON.parse(png.errors).error, { code: 'PW_USAGE', message: /\.svg/ })
  t.notOk(existsSync(raster))

  const nowhere = await replay('--json', '--plot', join(folder, 'absent', 'replay.svg'), recordingSet)
  t.equal(nowhere.status, 1)
  t.equal(nowhere.output, '')
  t.equal(JSON.parse(nowhere.errors).error.code, 'PW_PLOT_FILE')
})

test('names that mean something in XML, and a set of which nothing can be heard, still make a picture', async t => {
  const folder = temporaryFolder(t)
  const deaf = badCopy(folder, 'deaf & <"dumb">', (_, set) => {
    for (const gateway of set.gateways) gateway.audio = 'absent.wav'
  })
  copyFileSync(deaf, join(folder, 'deaf & <"dumb">', `it's.json`))
  const picture = join(folder, 'deaf.svg')
  const { status, output, errors } = await replay('--plot', picture, join(folder, 'deaf & <"dumb">', `it's.json`))
  t.equal(status, 1)
  t.match(output, /No gunfire was found/)
  t.equal(errors.match(/PW_RECORDING_MISSING/g)?.length, 6)
  for (const bad of ['<a><b></a>', '<a b="1" b="2"/>', '<a>1 & 2</a>', '<a b="<"/>', '<a>']) t.ok(faultOfXml(bad), bad)
  const svg = readFileSync(picture, 'utf8')
  t.equal(faultOfXml(svg), null)
  t.ok(svg.includes('deaf &amp; &lt;&quot;dumb&quot;&gt;/it'))
  t.equal(svg.match(/>PW_RECORDING_MISSING</g)?.length, 6)
})
