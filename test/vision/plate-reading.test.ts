import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { test } from 'tap'
import {
  type CharacterMatrix,
  greedyText,
  likelyTexts,
  logProbability,
  plateAlphabet,
} from '../../gateway/vision/character-matrix.js'
import { TextModels } from '../../gateway/vision/models.js'
import { type Picture, readPicture, straighten } from '../../gateway/vision/picture.js'
import { calibrated, hasSurroundings, isCertain } from '../../gateway/vision/plate-certainty.js'
import { readPlates } from '../../gateway/vision/plate-finder.js'
import { alikeOfKnownForm, formEvidence } from '../../gateway/vision/plate-forms.js'
import { displacedLooks } from '../../gateway/vision/plate-looks.js'
import { vote } from '../../gateway/vision/plate-votes.js'
import { boxOf, coverEachOther, joined, type TextRegion, tilted } from '../../gateway/vision/region.js'
import { textRegions } from '../../gateway/vision/text-regions.js'

const columns = plateAlphabet.length + 1

/** A matrix whose steps give some symbols (`-` for none) their probabilities; the rest is spread over all others. */
function matrix(...rows: Readonly<Record<string, number>>[]): CharacterMatrix {
  const values = new Float64Array(rows.length * columns).fill(1e-6)
  for (const [step, row] of rows.entries()) {
    for (const [symbol, value] of Object.entries(row)) {
      values[step * columns + (symbol === '-' ? 0 : plateAlphabet.indexOf(symbol) + 1)] = value
    }
  }
  return { steps: rows.length, values }
}

/** A text as clear as day, but for some places. */
function reading(
  text: string,
  doubts: Readonly<Record<number, Readonly<Record<string, number>>>> = {},
): CharacterMatrix {
  return matrix(...[...text].flatMap((character, index) => [{ '-': 1 }, doubts[index] ?? { [character]: 0.98 }]), {
    '-': 1,
  })
}

/** An upright region. */
function level(x: number, y: number, width: number, height: number): TextRegion {
  const [right, bottom] = [x + width, y + height]
  return {
    corners: [
      { x, y },
      { x: right, y },
      { x: right, y: bottom },
      { x, y: bottom },
    ],
    width,
    height,
    score: 0.9,
  }
}

/** A street scene of one colour with plates drawn into it. */
async function scene(
  plates: readonly { text: string; x: number; y: number; height: number; turn?: number }[],
): Promise<Picture> {
  const drawn = plates.map(({ text, x, y, height, turn = 0 }) => {
    const width = height * 3.2
    return `<g transform="translate(${x} ${y}) rotate(${turn})"><rect width="${width}" height="${height * 1.4}" rx="6" fill="white" stroke="black"/>
      <text x="${width / 2}" y="${height * 1.08}" text-anchor="middle" textLength="${width * 0.86}" font-family="DejaVu Sans" font-weight="bold" font-size="${height}" fill="#122">${text}</text></g>`
  })
  return pictureOf(
    `<svg xmlns="http://www.w3.org/2000/svg" width="960" height="600"><rect width="960" height="600" fill="#667"/>${drawn.join('')}</svg>`,
  )
}

async function pictureOf(svg: string, blur = 0): Promise<Picture> {
  const drawn = sharp(Buffer.from(svg))
  const file = join(mkdtempSync(join(tmpdir(), 'polewatch-scene-')), 'scene.png')
  writeFileSync(file, await (blur > 0 ? drawn.blur(blur) : drawn).png().toBuffer())
  try {
    return await readPicture(file)
  } finally {
    rmSync(join(file, '..'), { recursive: true })
  }
}

test('the probability of a text is the sum over every way to spread it over the steps', t => {
  const rows = [
    { '-': 0.5, A: 0.3, '1': 0.2 },
    { '-': 0.1, A: 0.6, '1': 0.3 },
    { '-': 0.7, A: 0.2, '1': 0.1 },
  ]
  const sums = new Map<string, number>()
  const symbols = ['-', 'A', '1'] as const
  for (const a of symbols) {
    for (const b of symbols) {
      for (const c of symbols) {
        const text = [a, b, c]
          .filter((symbol, index, all) => symbol !== all[index - 1])
          .join('')
          .replaceAll('-', '')
        sums.set(text, (sums.get(text) ?? 0) + (rows[0]?.[a] ?? 0) * (rows[1]?.[b] ?? 0) * (rows[2]?.[c] ?? 0))
      }
    }
  }
  sums.delete('')
  for (const [text, sum] of sums) t.ok(Math.abs(Math.exp(logProbability(matrix(...rows), text)) - sum) < 1e-9, text)
  const [best] = [...sums].sort(([, a], [, b]) => b - a)
  t.equal(likelyTexts(matrix(...rows), 8)[0], best?.[0])
  t.equal(logProbability(matrix(...rows), 'AAAA'), Number.NEGATIVE_INFINITY, 'more characters than steps')
  t.end()
})

test('looks vote by probability: one that is sure outweighs two that are not', t => {
  const sure = reading('ABC1234')
  const unsure = reading('ABC1Z34', { 4: { Z: 0.5, '2': 0.45 } })
  t.equal(vote([sure, unsure, unsure])?.text, 'ABC1234')
  t.equal(vote([unsure, unsure])?.rawText, 'ABC1Z34', 'what was seen is kept')
  t.equal(vote([]), null)
  t.end()
})

test('how plates are made up decides last, and only between characters that look alike', t => {
  const voted = vote([reading('RK550A0', { 6: { '0': 0.95, O: 0.03 } })])
  t.match(voted, { text: 'RK550AO', rawText: 'RK550A0' })
  t.equal(vote([reading('AB12QX')])?.text, 'AB12QX', 'an unknown make is left as it was read')
  t.same(alikeOfKnownForm('ABC1234'), [], 'a known one as well')
  t.ok(formEvidence('ABC1234') > formEvidence('A1B2C3D4'))
  t.ok(
    formEvidence('AB123CD') > formEvidence('WPI123AB'),
    'what millions of vehicles bear is likelier than what few do',
  )
  t.ok(formEvidence('WPI123AB') > formEvidence('1WPI23AB'))
  t.end()
})

test('lines of text are found in the map of probabilities, also when they lean', t => {
  const [width, height] = [160, 96]
  const map = new Float32Array(width * height)
  const draw = (cx: number, cy: number, along: number, across: number, turn: number) => {
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const u = (x - cx) * Math.cos(turn) + (y - cy) * Math.sin(turn)
        const v = (y - cy) * Math.cos(turn) - (x - cx) * Math.sin(turn)
        if (Math.abs(u) <= along / 2 && Math.abs(v) <= across / 2) map[y * width + x] = 0.9
      }
    }
  }
  draw(40, 20, 50, 8, 0)
  draw(110, 60, 60, 8, 0.3)
  map[0] = 0.9
  const regions = textRegions(map, width, height)
  t.equal(regions.length, 2, 'a speck is no text')
  const [level, leaning] = regions
  t.ok(level !== undefined && leaning !== undefined)
  const [left = 0, top = 0, wide = 0, high = 0] = level === undefined ? [] : boxOf(level.corners)
  t.ok(Math.abs(left + wide / 2 - 40) < 2 && Math.abs(top + high / 2 - 20) < 2)
  t.ok(wide > 50 && high > 8, 'the network marks less than the line')
  const [a, b] = leaning?.corners ?? []
  t.ok(a !== undefined && b !== undefined && Math.abs(Math.atan2(b.y - a.y, b.x - a.x) - 0.3) < 0.05)
  t.end()
})

test('a leaning piece of a picture is pulled straight', t => {
  const data = Uint8Array.from({ length: 3 * 40 * 40 }, (_, i) => 6 * (Math.floor(i / 3) % 40))
  const piece = straighten(
    { width: 40, height: 40, data },
    [
      { x: 10, y: 10 },
      { x: 10, y: 30 },
      { x: 5, y: 30 },
      { x: 5, y: 10 },
    ],
    20,
    5,
  )
  t.ok([...piece.data].every(value => value >= 6 * 4 && value <= 6 * 10))
  t.ok((piece.data[0] ?? 0) > (piece.data[3 * 20 * 4] ?? 0), 'down in the piece is left in the picture')
  t.end()
})

test('a region is moved by a share of its height and turned about its middle', t => {
  const region = level(10, 20, 40, 20)
  t.match(tilted(region, 0.1, 0), { corners: [{ x: 10, y: 22 }, { y: 22 }, { y: 42 }, { x: 10, y: 42 }], width: 40 })
  t.match(tilted(region, 0, 0.1), { corners: [{ y: 18 }, { y: 22 }, { y: 42 }, { y: 38 }], height: 20 })
  t.end()
})

test('two lines of one height that follow each other are one, whichever was found first', t => {
  const left = level(10, 20, 40, 20)
  const right = level(60, 22, 50, 20)
  t.match(joined(left, right), { corners: [{ x: 10 }, { x: 110 }, { x: 110 }, { x: 10 }], width: 100 })
  t.same(joined(right, left), joined(left, right))
  t.equal(joined(left, level(75, 20, 50, 20)), null, 'too far apart')
  t.equal(joined(left, level(60, 28, 50, 20)), null, 'not level')
  t.equal(joined(left, level(60, 20, 50, 10)), null, 'of another height')
  t.ok(coverEachOther(left, level(12, 22, 100, 16)), 'a part and its whole cover each other')
  t.notOk(coverEachOther(left, right))
  t.end()
})

test('a read is confirmed only when the whole line and each of its characters say so and no look at it objects', t => {
  const clear = { whole: 0.9, otherwise: 0.1, pieces: 1, against: 0.1, known: true }
  t.equal(isCertain(0.99, clear), true)
  t.equal(isCertain(0.99, { ...clear, whole: 0.5 }), false, 'a line that is hard to read')
  t.equal(isCertain(0.99, { ...clear, otherwise: 0.6 }), false, 'a line that one look surely reads otherwise')
  t.equal(isCertain(0.99, { ...clear, pieces: 6 / 7 }), false, 'a character that no piece shows')
  t.equal(isCertain(0.99, { ...clear, against: 0.9 }), false, 'a piece that says otherwise, or shows one more')
  t.equal(isCertain(0.99, { ...clear, known: false }), false, 'a text that nobody issues')
  t.equal(isCertain(0.8, clear), false, 'another text that may be as well')
  t.equal(calibrated(1, { whole: 1 }), 0.98, 'nothing is beyond doubt')
  t.ok(calibrated(1, { whole: 0.3 }) < 0.6, 'one text alone is not a sure one')
  const picture = { width: 200, height: 100, data: new Uint8Array() }
  t.equal(hasSurroundings(level(60, 40, 80, 20), picture), true)
  t.equal(hasSurroundings(level(0, 40, 80, 20), picture), false, 'the line may begin outside of the picture')
  t.equal(hasSurroundings(level(60, 4, 80, 20), picture), false, 'what is above is not seen')
  t.end()
})

test('clear print says the same where its line is cut a little askew, a line that is cut badly does not', async t => {
  const models = await TextModels.load()
  const picture = await scene([{ text: 'KLM 4821', x: 420, y: 330, height: 56 }])
  const [read] = await readPlates(models, picture)
  const [x, y, width, height] = read?.box ?? [0, 0, 0, 0]
  const texts = async (region: TextRegion) =>
    (await displacedLooks(models, picture, region)).map(look => greedyText(look).text)
  t.same(await texts(level(x, y, width, height)), Array(4).fill('KLM4821'))
  t.not(new Set(await texts(tilted(level(x, y, width, height), 0.35, 0))).size, 1)
})

test('a plate in two parts is read as one, and one at the edge of a picture is not confirmed', async t => {
  const models = await TextModels.load()
  const [parted] = await readPlates(models, await scene([{ text: 'KLM\u00a0\u00a0482', x: 420, y: 330, height: 56 }]))
  t.match(parted, { text: 'KLM482' })
  const [leaving] = await readPlates(models, await scene([{ text: 'KLM 4821', x: 420, y: 2, height: 56 }]))
  t.match(leaving, { text: 'KLM4821', confirmed: false })
})

test('a coloured emblem between the characters of a plate is not taken for one', async t => {
  const models = await TextModels.load()
  const text = (x: number, length: number, characters: string) =>
    `<text x="${x}" y="26" textLength="${length}" font-family="DejaVu Sans" font-weight="bold" font-size="24" fill="#122">${characters}</text>`
  for (const [left, right] of [
    ['BA', '3021'],
    ['BZ', '2274'],
  ] as const) {
    const plate = `<g transform="translate(200 220)"><rect width="126" height="34" rx="3" fill="white" stroke="black"/>
      ${text(14, 31, left)}<ellipse cx="54" cy="17" rx="5" ry="9" fill="#c22"/>${text(62, 60, right)}</g>`
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="640" height="400"><rect width="640" height="400" fill="#667"/>${plate}</svg>`
    const [read] = await readPlates(models, await pictureOf(svg, 1.2))
    t.equal(read?.text, left + right)
  }
})

test('plates in a picture are read with their places, the near one first; a picture without any gives none', async t => {
  const models = await TextModels.load()
  const picture = await scene([
    { text: 'KLM 4821', x: 420, y: 330, height: 56, turn: -4 },
    { text: 'XRT 305', x: 90, y: 120, height: 26 },
  ])
  const reads = await readPlates(models, picture)
  t.same(
    reads.slice(0, 2).map(({ text }) => text),
    ['KLM4821', 'XRT305'],
  )
  t.equal(reads[0]?.confirmed, true, 'clear print is confirmed')
  const [x = 0, y = 0, width = 0, height = 0] = reads[0]?.box ?? []
  t.ok(Math.abs(x + width / 2 - 510) < 12 && Math.abs(y + height / 2 - 363) < 12, `${x} ${y} ${width} ${height}`)
  t.same(await readPlates(models, await scene([])), [])
})

test('the command gives a line a picture, and a file that is none is an error of its own', t => {
  const folder = mkdtempSync(join(tmpdir(), 'polewatch-plates-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const broken = join(folder, 'broken.jpg')
  writeFileSync(broken, readFileSync('LICENSE'))
  try {
    execFileSync(process.execPath, ['dist/gateway/main.js', 'plates', 'read', '--json', broken], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
    t.fail('exit status 1')
  } catch (error) {
    t.match(error, { status: 1, stderr: /PW_PICTURE_UNREADABLE/ })
  }
  t.end()
})
