import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'tap'
import { loadPlateReaderLayout } from '../../drivers/device-files.js'
import { checksum } from '../../drivers/plate-reader/checksum.js'
import type { Check } from '../../drivers/plate-reader/framing.js'
import { LayoutParser, type PlateReaderLayout, plateReaderLayoutSchema } from '../../drivers/plate-reader/layout.js'

const devices = join(process.cwd(), 'firmware-config/devices')
const load = (name: string) => loadPlateReaderLayout(name, devices)
const bytes = (text: string) => new TextEncoder().encode(text)

const stx = '\x02'
const etx = '\x03'
const frame = (text: string, time = '20181219004928', camera = '01') => `${stx}${time}${camera}${text}${etx}`

/** Texts of the reads, and what was discarded in the end. */
function parse(layout: PlateReaderLayout, ...chunks: (string | Uint8Array)[]) {
  const answers: Uint8Array[] = []
  const parser = new LayoutParser(layout, bytes => answers.push(bytes))
  const reads = chunks.flatMap(chunk => parser.push(typeof chunk === 'string' ? bytes(chunk) : chunk))
  return { reads, texts: reads.map(({ read }) => read.text), discarded: parser.discarded, parser, answers }
}

test('every layout that is shipped makes the reads of its own examples, whole or byte by byte', async t => {
  const names = readdirSync(join(devices, 'plate-readers')).map(file => file.replace(/\.json$/, ''))
  t.ok(names.includes('auto-intellect') && names.includes('nedap-anpr-raw'))
  for (const name of names) {
    const layout = await load(name)
    t.equal(layout.name, name)
    for (const { hex, reads, acknowledged } of layout.examples) {
      for (const chunks of [[hex], [...hex].map(byte => Uint8Array.of(byte))]) {
        const parsed = parse(layout, ...chunks)
        t.same(parsed.answers, acknowledged === undefined ? [] : [acknowledged])
        t.same(
          parsed.reads.map(({ read }) => read),
          reads,
        )
        t.same(parsed.discarded, { frames: 0, bytes: 0 })
      }
    }
  }
})

test('STX and ETX frames', async t => {
  const layout = await load('auto-intellect')

  t.test('are found between noise, which is counted', async t => {
    const parsed = parse(layout, `xx${frame('ABC1234')}yyy${frame('46HVR9')}z`)
    t.same(parsed.texts, ['ABC1234', '46HVR9'])
    t.same(
      parsed.reads.map(({ discarded }) => discarded),
      [
        { frames: 0, bytes: 2 },
        { frames: 0, bytes: 5 },
      ],
    )
    t.same(parsed.discarded, { frames: 0, bytes: 6 })
  })

  t.test('broken off by the next start are dropped and counted, and the next is read', async t => {
    const parsed = parse(layout, `${stx}2018121900${frame('ABC1234')}`)
    t.same(parsed.texts, ['ABC1234'])
    t.same(parsed.discarded, { frames: 1, bytes: 11 })
  })

  t.test('that are too long are dropped and counted, and the next is read', async t => {
    const parsed = parse(layout, `${frame('A'.repeat(200))}${frame('ABC1234')}`)
    t.same(parsed.texts, ['ABC1234'])
    t.same(parsed.discarded, { frames: 1, bytes: 218 })
  })

  t.test('whose content does not fit make no read', async t => {
    const wrong = [
      frame('ABC1234', '2018121900492B'),
      frame('ABC1234', '20181319004928'),
      frame('ABC1234', '20180230004928'),
      frame('ABC1234', '20181219246000'),
      frame('ABC1234', '20181219004928', 'x1'),
      frame(''),
      frame('   '),
      frame('ABC\x001234'),
      frame('ABC;1234'),
      `${stx}${etx}${stx}ABC${etx}`,
    ]
    const parsed = parse(layout, wrong.join(''))
    t.same(parsed.texts, [])
    t.equal(parsed.discarded.frames, 10)
    t.equal(
      parse(layout, Uint8Array.of(...bytes(frame('AB').slice(0, -1)), 0xff, 3)).discarded.frames,
      1,
      'bytes that are no UTF-8',
    )
  })

  t.test('give what they say and nothing else', async t => {
    const [first] = parse(layout, frame(' АВ1234 ', '00000000000000', '07')).reads
    t.same(first!.read, {
      text: 'АВ1234',
      confidence: null,
      country: null,
      state: null,
      lane: '07',
      direction: null,
      readerTime: null,
    })
    t.same(parse(layout, frame('Not defined')).texts, [])
    t.same(parse(layout, frame('Not defined')).discarded, { frames: 0, bytes: 0 })
  })

  t.test('given up half-way are counted, and do not spoil the next', async t => {
    const parser = new LayoutParser(layout)
    parser.push(bytes(`${stx}201812`))
    parser.reset()
    t.same(parser.discarded, { frames: 1, bytes: 7 })
    t.same(
      parser.push(bytes(frame('ABC1234'))).map(({ read }) => read.text),
      ['ABC1234'],
    )
    t.same(parser.discarded, { frames: 1, bytes: 7 })
  })
})

test('lines', async t => {
  const layout = await load('nedap-anpr-raw')

  t.test('give the fields of their template, in any case, and null for what is empty or unknown', async t => {
    const read = (line: string) => parse(layout, `${line}\r\n`).reads[0]?.read
    t.match(read('46HVR9;97;NLD;APPROACHING'), {
      text: '46HVR9',
      confidence: 0.97,
      country: 'NLD',
      direction: 'approaching',
    })
    t.match(read('46-HVR-9;100;NL;goaway'), { text: '46-HVR-9', confidence: 1, country: 'NL', direction: 'departing' })
    t.match(read('AB 123;;;'), { text: 'AB 123', confidence: null, country: null, direction: null })
    t.match(read('AB123;0;D;SIDEWAYS'), { confidence: 0, country: 'D', direction: null })
    t.match(read('AB123;50;USA'), { text: 'AB123', confidence: 0.5, country: 'USA', direction: null })
    t.match(read('M-AB 123-D'), { text: 'M-AB 123', country: 'D', confidence: null })
    for (const line of [
      ';97;NLD;IN',
      'AB123;101;NLD;IN',
      'AB123;9.9.9;NLD;IN',
      'AB123;97;NL1;IN',
      'AB123',
      'A;B;C;D;E',
    ]) {
      t.equal(read(line), undefined, line)
    }
  })

  t.test('that are blank mean nothing and are no fault', async t => {
    t.same(parse(layout, '\r\n\r\nAB123;50;USA;\r\n\r\n').discarded, { frames: 0, bytes: 0 })
  })

  t.test('that are too long are dropped to their end, and the next is read', async t => {
    const parsed = parse(layout, `${'x'.repeat(500)}\r\nAB123;50;USA;\r\n`)
    t.same(parsed.texts, ['AB123'])
    t.same(parsed.discarded, { frames: 1, bytes: 502 })
  })
})

test('marks of several bytes', async t => {
  const { examples: _, ...rest } = await load('nedap-anpr-raw')
  const framing = { kind: 'delimited', start: '89 ab cd ef', end: '12 34 56 78', maximumBytes: 20 }
  const layout = plateReaderLayoutSchema.parse({
    ...rest,
    framing,
    examples: [{ hex: '00', reads: [] }],
  })
  const [start, end] = [Uint8Array.of(0x89, 0xab, 0xcd, 0xef), Uint8Array.of(0x12, 0x34, 0x56, 0x78)]
  const content = bytes('AB123;50;USA;')
  const parsed = parse(
    layout,
    start.subarray(0, 3),
    start,
    start,
    content,
    end.subarray(0, 2),
    end,
    start,
    content,
    end,
  )
  t.same(parsed.texts, ['AB123'])
  t.same(parsed.discarded, { frames: 2, bytes: 3 + 4 + 4 + content.length + 2 + 4 })
  t.throws(() => plateReaderLayoutSchema.parse({ ...layout, framing: { ...framing, end: '89abcdef' } }), /must differ/)
})

test('a layout with a mistake is refused, with the place of every mistake', async t => {
  const good = {
    name: 'mine',
    description: 'Mine.',
    source: 'Mine.',
    line: { baudRate: 9600 },
    framing: { kind: 'delimited', end: '0a', maximumBytes: 20 },
    content: { kind: 'template', encoding: 'latin1', templates: ['P'], fields: { P: { is: 'text' } } },
    examples: [{ hex: '41 42 0a', reads: [{ text: 'AB' }] }],
  }
  t.ok(plateReaderLayoutSchema.safeParse(good).success)
  const paths = (changed: object) =>
    plateReaderLayoutSchema.safeParse({ ...good, ...changed }).error?.issues.map(issue => issue.path.join('.'))
  t.same(paths({ framing: { kind: 'delimited', end: '0', maximumBytes: 0 } }), ['framing.end', 'framing.maximumBytes'])
  t.same(paths({ framing: { kind: 'morse' } }), ['framing.kind'])
  t.same(paths({ content: { ...good.content, templates: ['P', 'Q', 'PP'] } }), [
    'content.templates.1',
    'content.templates.2',
  ])
  t.same(paths({ content: { ...good.content, fields: { P: { is: 'text', mayBeEmpty: true } } } }), [
    'content.fields.P.mayBeEmpty',
  ])
  t.same(paths({ line: { baudRate: 9600, parity: 'sometimes' }, examples: [] }), ['line.parity', 'examples'])
})

test('properties', async t => {
  const names = readdirSync(join(devices, 'plate-readers')).map(file => file.replace(/\.json$/, ''))
  const layouts = await Promise.all(names.map(load))
  const examples = layouts.flatMap(layout => layout.examples.map(({ hex }) => hex))
  /** Streams of good frames, noise, and marks in the wrong places. */
  const piece = fc.oneof(
    fc
      .constantFrom(
        frame('ABC1234'),
        frame('46HVR9'),
        '46HVR9;97;NLD;IN\r\n',
        'XY12-D\r\n',
        stx,
        etx,
        '\r',
        '\n',
        stx + stx,
      )
      .map(bytes),
    fc.uint8Array({ maxLength: 90 }),
    fc.constantFrom(...examples),
    fc.tuple(fc.constantFrom(...examples), fc.nat(40)).map(([whole, cut]) => whole.subarray(0, cut)),
  )
  const stream = fc.array(piece, { maxLength: 12 }).map(pieces => Uint8Array.from(pieces.flatMap(part => [...part])))

  t.test('any split of a stream gives the same reads and the same counts', async t => {
    for (const layout of layouts) {
      t.doesNotThrow(() =>
        fc.assert(
          fc.property(stream, fc.array(fc.nat(400)), (whole, cuts) => {
            const at = [0, ...cuts.map(cut => Math.min(cut, whole.length)), whole.length].sort(
              (one, other) => one - other,
            )
            const chunks = at.slice(1).map((end, index) => whole.subarray(at[index], end))
            const [together, apart] = [parse(layout, whole), parse(layout, ...chunks)]
            t.same(apart.reads, together.reads)
            t.same(apart.discarded, together.discarded)
            t.equal(apart.parser.bytesSinceFrame, together.parser.bytesSinceFrame)
          }),
        ),
      )
    }
  })

  t.test('every byte is part of a read, of a pending frame, or counted as discarded', async t => {
    for (const layout of layouts) {
      t.doesNotThrow(() =>
        fc.assert(
          fc.property(stream, whole => {
            const { parser, discarded } = parse(layout, whole)
            parser.reset()
            return discarded.bytes >= 0 && discarded.bytes <= whole.length && parser.discarded.bytes >= discarded.bytes
          }),
        ),
      )
    }
  })

  t.test('random bytes between STX and ETX make a read only if they are the template', async t => {
    const noise = fc.uint8Array({ minLength: 1, maxLength: 60 })
    const nearly = fc
      .tuple(fc.constantFrom('ABC1234', '46HVR9', 'X'), fc.nat(24), fc.nat(255))
      .map(([text, at, value]) => {
        const changed = bytes(frame(text)).slice(1, -1)
        if (at < changed.length) changed[at] = value
        return changed
      })
    const framed = await load('auto-intellect')
    t.doesNotThrow(() =>
      fc.assert(
        fc.property(fc.oneof(noise, nearly), bytes => {
          const content = bytes.filter(byte => byte !== 2 && byte !== 3)
          const { texts } = parse(framed, Uint8Array.of(2, ...content, 3))
          const text = Buffer.from(content).toString('utf8')
          const fits = /^\d{14}[\d ]{2}[\p{L}\p{N} .·-]+$/u.test(text) && text.slice(14, 16).trim() !== ''
          return texts.length === 0 || (fits && texts.length === 1 && texts[0] === text.slice(16).trim())
        }),
        { numRuns: 2000 },
      ),
    )
  })

  t.test('a frame with any one byte changed fails its checksum: it makes no read and is not acknowledged', async t => {
    const checked = layouts.filter(({ framing }) => framing.kind === 'counted')
    t.ok(checked.length >= 2)
    for (const layout of checked) {
      for (const { hex } of layout.examples) {
        for (const at of hex.keys()) {
          for (const flip of [1, 0x80, 0xff]) {
            const wrong = hex.map((byte, index) => (index === at ? byte ^ flip : byte))
            const { texts, answers } = parse(layout, wrong)
            t.same([texts, answers], [[], []])
          }
        }
      }
    }
  })

  t.test('noise before a good frame never hides it for longer than the longest frame', async t => {
    for (const layout of layouts.filter(({ framing }) => framing.kind === 'counted')) {
      const [good] = layout.examples
      t.doesNotThrow(() =>
        fc.assert(
          fc.property(stream, noise => {
            const stretch = Array.from({ length: Math.ceil(400 / good!.hex.length) }, () => good!.hex)
            return parse(layout, noise, ...stretch).texts.at(-1) === good!.reads[0]!.text
          }),
        ),
      )
    }
  })
})

test('checksums are those of their standards', async t => {
  const digits = bytes('123456789')
  const of = (kind: Check['kind'], order: Check['order'] = 'big') => checksum({ kind, order, skip: 0 }, digits)
  t.same(of('crc-16-ccitt'), Uint8Array.of(0x29, 0xb1), 'the check value of CRC-16/IBM-3740')
  t.same(of('crc-16-modbus', 'little'), Uint8Array.of(0x37, 0x4b), 'the check value of CRC-16/MODBUS, 0x4b37')
  t.same(of('xor'), Uint8Array.of(0x31))
  t.same(checksum({ kind: 'xor', order: 'big', skip: 8 }, digits), Uint8Array.of(0x39))
})

test('frames of one fixed length with a CRC are cut by their length', async t => {
  const { examples: _, ...rest } = await load('auto-intellect')
  const layout = plateReaderLayoutSchema.parse({
    ...rest,
    framing: {
      kind: 'counted',
      start: '7e',
      headerBytes: 0,
      length: { fixed: 8 },
      check: { kind: 'crc-16-ccitt', skip: 1 },
      maximumBytes: 8,
    },
    content: {
      kind: 'template',
      encoding: 'latin1',
      templates: ['P'],
      fields: { P: { is: 'text', width: 8 } },
    },
    examples: [{ hex: '00', reads: [] }],
  })
  const whole = (text: string) => {
    const content = bytes(text.padEnd(8))
    return Uint8Array.of(0x7e, ...content, ...checksum({ kind: 'crc-16-ccitt', order: 'big', skip: 0 }, content))
  }
  const parsed = parse(layout, whole('ABC1234'), whole('~~~').subarray(0, 5), whole('46HVR9'))
  t.same(parsed.texts, ['ABC1234', '46HVR9'])
  t.equal(parsed.discarded.bytes, 5)
})

test('frames with their length in front and a CRC behind are cut by it, and none with up to two wrong bytes makes a read', async t => {
  const { examples: _, ...rest } = await load('auto-intellect')
  const layout = plateReaderLayoutSchema.parse({
    ...rest,
    framing: {
      kind: 'counted',
      start: '7e',
      headerBytes: 1,
      length: { at: 0, bytes: 1, order: 'big' },
      check: { kind: 'crc-16-modbus', order: 'little' },
      maximumBytes: 20,
    },
    content: { kind: 'template', encoding: 'latin1', templates: ['P'], fields: { P: { is: 'text' } } },
    examples: [{ hex: '00', reads: [] }],
  })
  const whole = (text: string) => {
    const before = Uint8Array.of(0x7e, text.length, ...bytes(text))
    return Uint8Array.of(...before, ...checksum({ kind: 'crc-16-modbus', order: 'little', skip: 0 }, before))
  }
  const texts = ['ABC1234', '4', '46HVR9']
  const parsed = parse(layout, Uint8Array.of(0x7e, 0xff), ...texts.map(whole))
  t.same(parsed.texts, texts)
  t.same(parsed.discarded, { frames: 1, bytes: 2 })
  const right = whole('ABC1234')
  for (const first of right.keys()) {
    for (const second of right.keys()) {
      const flip = (index: number) => (index === first ? 0x15 : index === second ? 0xa0 : 0)
      t.same(
        parse(
          layout,
          right.map((byte, index) => byte ^ flip(index)),
        ).texts,
        [],
      )
    }
  }
})
