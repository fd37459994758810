import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  constants,
  existsSync,
  fdatasyncSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { watchBells } from '../../gateway/journal/bell.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { createSigningKey, publicKeyPem } from '../../gateway/messages/keys.js'
import { openEvent } from '../../gateway/messages/seal.js'

const main = fileURLToPath(new URL('../../gateway/main.js', import.meta.url))
/** Seconds between two reads: 50 a second. */
const interval = 0.02
/** How long a committed hit may take to be seen at most, seconds. */
const patience = 30

export interface SerialFigures {
  readonly reads: number
  readonly hits: number
  readonly readsPerSecond: number
  /** From the writing of the frame's last byte until another process has read the committed hit. Milliseconds. */
  readonly byteToCommittedHit: { readonly p50: number; readonly p99: number; readonly worst: number }
  /** The disk's own share: 4 KiB written and synchronised, nothing else. Milliseconds. */
  readonly diskSynchronised: { readonly p50: number; readonly p99: number }
}

/**
 * Runs the real sensing role on a pseudo-terminal over the lists of `{state}/hotlist`, sends it listed plates at 50 a
 * second, each another one, and waits for each hit in its journal, which commits with synchronous=FULL.
 */
export async function benchSerial(state: string, list: string, plates: readonly string[]): Promise<SerialFigures> {
  const line = { gateway: join(state, 'line'), reader: join(state, 'line.reader') }
  // What the roles tell each other lies in memory on a gateway: /run is a tmpfs.
  const runtime = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'polewatch-bench-'))
  const configuration = join(state, 'gateway.yaml')
  writeFileSync(join(state, 'hub.pub'), publicKeyPem(createSigningKey().publicKey))
  writeFileSync(configuration, JSON.stringify(settings(state, runtime, list, line.gateway)))
  const children: ChildProcess[] = []
  const stop = new AbortController()
  try {
    children.push(
      spawn('socat', [`pty,raw,echo=0,link=${line.gateway}`, `pty,raw,echo=0,link=${line.reader}`], {
        stdio: 'ignore',
      }),
    )
    await appear(line.reader)
    children.push(
      spawn(process.execPath, [main, 'sensing', '--config', configuration], { stdio: ['ignore', 'ignore', 'inherit'] }),
    )
    const journal = join(state, 'sensing.journal.db')
    await appear(journal)
    const sent = new Map<string, number>()
    const delays: number[] = []
    const follow = followHits(journal, runtime, stop.signal, plate => {
      const at = sent.get(plate)
      if (at !== undefined && sent.delete(plate)) delays.push(performance.now() - at)
    })
    await pause(2000)
    const handle = openSync(line.reader, constants.O_WRONLY | constants.O_NOCTTY)
    const began = performance.now()
    for (const [index, plate] of plates.entries()) {
      await pause(Math.max(0, began + index * interval * 1000 - performance.now()))
      sent.set(plate, performance.now())
      writeSync(handle, `\u00022026010203040501${plate}\u0003`)
    }
    const seconds = (performance.now() - began) / 1000
    closeSync(handle)
    for (let waited = 0; sent.size > 0 && waited < patience; waited += 0.1) await pause(100)
    stop.abort()
    await follow
    const at = percentile(delays)
    return {
      reads: plates.length,
      hits: delays.length,
      readsPerSecond: Number((plates.length / seconds).toFixed(1)),
      byteToCommittedHit: { p50: at(0.5), p99: at(0.99), worst: at(1) },
      diskSynchronised: synchronising(join(state, 'disk-probe')),
    }
  } finally {
    stop.abort()
    await Promise.all(children.map(end))
    rmSync(runtime, { recursive: true, force: true })
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

function settings(state: string, runtime: string, list: string, port: string): unknown {
  return {
    version: 1,
    site: 'bench',
    exercise: true,
    gateway: { id: 'bench-1', position: { latitude: 0, longitude: 0, altitude: 0, error: 1 } },
    paths: { state, runtime },
    plateReaders: [{ name: 'gate', driver: 'serial', port, layout: 'auto-intellect', lane: '1' }],
    hotlist: { lists: [{ name: list, staleAfterHours: 8784 }] },
    uplink: { brokers: ['mqtt://127.0.0.1:1'], hubKey: join(state, 'hub.pub') },
    policyFile: policyFile(state),
    log: { level: 'error' },
  }
}

/** The built-in policy with the purpose of the synthetic entries. */
function policyFile(state: string): string {
  const file = join(state, 'policy.json')
  const policy = {
    version: 1,
    purposes: ['stolen'],
    keepDays: { gunfire: 7, plateHit: 1, audio: 0, picture: 1, audit: 365 },
    evidence: { audioSeconds: 0, platePictures: true, scenePictures: false },
    mayAsk: { evidence: [], report: [], audit: [] },
  }
  writeFileSync(file, JSON.stringify(policy))
  return file
}

/** Calls `onHit` with the listed plate of each hit as soon as its commit can be read. */
async function followHits(
  journal: string,
  runtime: string,
  signal: AbortSignal,
  onHit: (plate: string) => void,
): Promise<void> {
  const reader = new JournalReader(journal)
  let after = 0
  await watchBells(
    runtime,
    () => {
      const stream = reader.streams().find(({ source }) => source.endsWith('/hit'))
      if (stream === undefined) return
      for (const { sequence, bytes } of reader.read(stream.source, stream.epoch, after, 1000)) {
        after = sequence
        const event = openEvent(bytes)
        if (event.name === 'plate-hit') onHit(event.data.plate)
      }
    },
    { signal },
  )
  reader.close()
}

function synchronising(path: string): { p50: number; p99: number } {
  const file = openSync(path, 'w')
  const times = Array.from({ length: 500 }, () => {
    const start = performance.now()
    writeSync(file, Buffer.alloc(4096, 1))
    fdatasyncSync(file)
    return performance.now() - start
  })
  closeSync(file)
  const at = percentile(times)
  return { p50: at(0.5), p99: at(0.99) }
}

function percentile(times: readonly number[]): (share: number) => number {
  const sorted = times.toSorted((one, other) => one - other)
  return share =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN).toFixed(2))
}

async function appear(path: string): Promise<void> {
  for (let waited = 0; !existsSync(path); waited += 20) {
    if (waited > 30_000) throw new Error(`${path} did not appear; is socat installed?`)
    await pause(20)
  }
}
