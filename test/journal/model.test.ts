import { copyFileSync, existsSync } from 'node:fs'
import fc from 'fast-check'
import { type Test, test } from 'tap'
import { verifyChain } from '../../gateway/journal/audit.js'
import { type AlertDraft, type Priority, priorities, type ShedRange } from '../../gateway/journal/journal.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { bytesOf, draft, folder, newPaths, openJournal } from './drafts.js'

const overhead = 256
const byteLimit = 8000

interface Row {
  readonly rank: number
  readonly sequence: number
  readonly size: number
}

interface Range {
  readonly rank: number
  first: number
  last: number
  /** The row that names it. */
  report: Row | undefined
}

/** What a journal should do, without a file. */
class Model {
  last = [0, 0, 0, 0]
  rows: Row[] = []
  ranges: Range[] = []

  get held(): number {
    return this.rows.reduce((sum, { size }) => sum + size + overhead, 0)
  }

  /** Appends in one commit; returns the sequences, and null for what was shed at once. */
  append(drafts: readonly { rank: number; size: number; reports: boolean; broken: boolean }[]): (number | null)[] {
    let limit = byteLimit
    const added = drafts.map(({ rank, size, reports, broken }) => {
      if (broken) return undefined
      this.last[rank] = (this.last[rank] ?? 0) + 1
      const row = { rank, sequence: this.last[rank] ?? 0, size }
      this.rows.push(row)
      if (reports) {
        limit += size + overhead
        for (const range of this.pending().slice(0, 100)) range.report = row
      }
      return row
    })
    while (this.held > limit) {
      const [oldest] = [...this.rows].sort((a, b) => b.rank - a.rank || a.sequence - b.sequence)
      if (oldest === undefined) break
      this.#shed(oldest)
    }
    return added.map(row => (row !== undefined && this.rows.includes(row) ? row.sequence : null))
  }

  #shed(row: Row): void {
    this.rows = this.rows.filter(other => other !== row)
    for (const range of this.ranges) if (range.report === row) range.report = undefined
    const open = this.pending().find(({ rank, last }) => rank === row.rank && last === row.sequence - 1)
    if (open === undefined)
      this.ranges.push({ rank: row.rank, first: row.sequence, last: row.sequence, report: undefined })
    else open.last = row.sequence
  }

  purge(rank: number, through: number): number {
    const gone = this.rows.filter(row => row.rank === rank && row.sequence <= through)
    this.rows = this.rows.filter(row => !gone.includes(row))
    this.ranges = this.ranges.filter(({ report }) => report === undefined || !gone.includes(report))
    return gone.length
  }

  pending(): Range[] {
    return this.ranges.filter(({ report }) => report === undefined)
  }
}

const appended = fc.record({
  rank: fc.integer({ min: 0, max: 3 }),
  size: fc.integer({ min: 60, max: 1500 }),
  reports: fc.boolean(),
  broken: fc.integer({ min: 0, max: 9 }).map(value => value === 0),
})

const unencodable: Partial<AlertDraft> = {
  encode: () => {
    throw new Error('no key')
  },
}

const operation = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      drafts: fc.array(appended, { minLength: 1, maxLength: 6 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('purge' as const),
      fractions: fc.tuple(
        fc.double({ min: 0, max: 1 }),
        fc.double({ min: 0, max: 1 }),
        fc.double({ min: 0, max: 1 }),
        fc.double({ min: 0, max: 1 }),
      ),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
)

const sourceOf = (priority: Priority): string => `/harbour/pole-17/sensing/${priority}`

type Operation = typeof operation extends fc.Arbitrary<infer Value> ? Value : never

const newPath = newPaths(folder(existsSync('/dev/shm') ? '/dev/shm' : undefined))

/** Does it to a journal and to the model, compares them after every step, and returns the model. */
async function follow(t: Test, operations: readonly Operation[]): Promise<Model> {
  const model = new Model()
  let path = newPath()
  let journal = openJournal(path, { byteLimit })
  let reader = new JournalReader(path)
  const epoch = journal.epoch ?? ''
  try {
    for (const step of operations) {
      if (step.kind === 'append') {
        const results = await Promise.allSettled(
          step.drafts.map(({ rank, size, reports, broken }) =>
            journal.append(
              draft(priorities[rank] ?? 'rest', size, { reportsShed: reports, ...(broken ? unencodable : {}) }),
            ),
          ),
        )
        const expected = model.append(step.drafts)
        t.strictSame(
          results.map(result => (result.status === 'fulfilled' ? result.value.sequence : null)),
          expected,
        )
      } else if (step.kind === 'purge') {
        const through = priorities.map((_, rank) => Math.floor((step.fractions[rank] ?? 0) * (model.last[rank] ?? 0)))
        const { rows } = await journal.purge(
          source => through[priorities.findIndex(name => sourceOf(name) === source)] ?? 0,
        )
        t.equal(
          rows,
          priorities.reduce((sum, _, rank) => sum + model.purge(rank, through[rank] ?? 0), 0),
        )
      } else {
        const old = journal
        if (step.kind === 'reopen') old.close()
        else {
          // What a killed process leaves: the file and its log, nothing written at closing.
          const copy = newPath()
          for (const part of ['', '-wal']) copyFileSync(path + part, copy + part)
          path = copy
          old.close()
        }
        reader.close()
        journal = openJournal(path, { byteLimit })
        reader = new JournalReader(path)
        t.equal(journal.epoch, epoch)
      }
      compare(model, journal.held, journal.pendingShed(), reader, epoch)
    }
    const verdict = verifyChain(path)
    if (!verdict.valid) throw new Error(`record ${verdict.number}: ${verdict.why}`)
    t.equal(journal.condition.setAside, null)
  } finally {
    reader.close()
    journal.close()
  }
  return model
}

test('a journal does what a model in memory does under random appends, purges, restarts and crashes', async t => {
  let shedding = 0
  const property = fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 30 }), async operations => {
    if ((await follow(t, operations)).ranges.length > 0) shedding += 1
  })
  const outcome = await fc.check(property, { numRuns: 60 })
  t.notOk(outcome.failed, fc.defaultReportMessage(outcome) ?? '')
  t.ok(shedding > 10, 'the random operations reach the byte limit often enough to mean something')
})

const one = (rank: number, size: number, more: { reports?: boolean; broken?: boolean } = {}) => ({
  rank,
  size,
  reports: false,
  broken: false,
  ...more,
})
const append = (...drafts: ReturnType<typeof one>[]): Operation => ({ kind: 'append', drafts })
const purge = (...fractions: [number, number, number, number]): Operation => ({ kind: 'purge', fractions })
const fill = (rank: number): Operation => append(...Array.from({ length: 6 }, () => one(rank, 1200)))

/** Kept by name, as a random run may miss them. */
const kept: Readonly<Record<string, readonly Operation[]>> = {
  'a report that is shed itself gives back the ranges that it named': [
    fill(3),
    append(one(3, 60, { reports: true })),
    fill(0),
    append(one(2, 60, { reports: true })),
  ],
  'numbers go on behind what was shed and purged to the last alert': [
    fill(3),
    fill(0),
    purge(1, 0, 0, 1),
    { kind: 'reopen' },
    append(one(3, 60), one(0, 60)),
  ],
  'a draft that cannot be encoded sheds nothing and uses no number': [
    fill(3),
    append(one(3, 5000, { broken: true }), one(3, 60)),
    { kind: 'crash' },
    append(one(3, 60)),
  ],
}
for (const [name, operations] of Object.entries(kept)) {
  test(name, async t => {
    await follow(t, operations)
  })
}

function compare(
  model: Model,
  held: number,
  pending: readonly ShedRange[],
  reader: JournalReader,
  epoch: string,
): void {
  const expected = {
    held: model.held,
    pending: model
      .pending()
      .map(({ rank, first, last }) => `${priorities[rank]} ${first}-${last}`)
      .slice(0, 100),
    streams: priorities.flatMap((priority, rank) => {
      const rows = model.rows.filter(row => row.rank === rank)
      const last = model.last[rank] ?? 0
      if (last === 0) return []
      return [
        `${priority} ${rows[0]?.sequence ?? last + 1}-${last}: ${rows.map(({ sequence, size }) => `${sequence}/${size}`)}`,
      ]
    }),
  }
  const found = {
    held,
    pending: pending.map(({ priority, firstSequence, lastSequence }) => `${priority} ${firstSequence}-${lastSequence}`),
    streams: reader.streams().map(({ source, priority, firstSequence, lastSequence }) => {
      const alerts = reader.read(source, epoch, 0, 1000)
      const rows = alerts.map(
        alert =>
          `${alert.sequence}/${alert.bytes.equals(bytesOf(alert, alert.bytes.length)) ? alert.bytes.length : 'wrong'}`,
      )
      return `${priority} ${firstSequence}-${lastSequence}: ${rows}`
    }),
  }
  if (JSON.stringify(found) !== JSON.stringify(expected)) {
    throw new Error(`found ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`)
  }
}
