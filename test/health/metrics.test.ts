import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { type GatewayFigures, serveMetrics } from '../../gateway/health/metrics.js'

const figures: GatewayFigures = {
  parts: [
    { part: 'roof', role: 'sensing', state: 'ready', fault: null, counters: { blocks: 12, dropped: 1, gaps: 2 } },
    {
      ...{ part: 'mast', role: 'sensing', state: 'ready', fault: null, counters: { dropped: 0 } },
      values: { 'air temperature': -3.5 },
    },
    { part: 'gate "7"\\', role: 'sensing', state: 'absent', fault: 'device-absent', counters: {} },
  ],
  alerts: [{ role: 'sensing', kind: 'gunfire', count: 3 }],
  journals: [{ role: 'sensing', bytes: 4096, waiting: 2, shed: 7 }],
  clockError: null,
  processes: [{ role: 'sensing', processor: 1.5, memory: 1e8, faults: 4, started: 1_545_180_566 }],
}

interface Answer {
  readonly status: number | undefined
  readonly type: string | undefined
  readonly text: string
}

function ask(options: {
  socketPath?: string
  port?: number
  host?: string
  path: string
  method?: string
}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request({ agent: false, ...options }, response => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
      })
      response.on('end', () => resolve({ status: response.statusCode, type: response.headers['content-type'], text }))
    })
      .on('error', reject)
      .end()
  })
}

/** A line of the text format 0.0.4, as its grammar has it. */
const line =
  /^(?:# (?:HELP|TYPE) [a-zA-Z_:][\w:]* .+|[a-zA-Z_:][\w:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})? (?:NaN|[+-]Inf|[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?))$/

test('Prometheus reads how the gateway fares over a Unix socket and over a port of this machine', async t => {
  // The name of a socket is at most 107 bytes long, which the test's own folder may exceed.
  const folder = mkdtempSync(join(tmpdir(), 'metrics-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const socketPath = join(folder, 'metrics')
  // As a process that was killed leaves it behind.
  writeFileSync(socketPath, '')
  const server = await serveMetrics(socketPath, () => figures)
  t.teardown(() => server.close())
  const { status, type, text } = await ask({ socketPath, path: '/metrics' })
  t.equal(status, 200)
  t.match(type, /^text\/plain; version=0\.0\.4/)
  t.ok(text.endsWith('\n'))
  for (const each of text.split('\n').filter(Boolean)) t.match(each, line)
  for (const wanted of [
    'polewatch_part_ready{role="sensing",part="roof"} 1',
    'polewatch_part_count_total{role="sensing",part="roof",counter="dropped"} 1',
    'polewatch_part_fault{role="sensing",part="gate \\"7\\"\\\\",fault="device-absent"} 1',
    '# TYPE polewatch_alerts_total counter',
    'polewatch_alerts_total{role="sensing",kind="gunfire"} 3',
    '# TYPE polewatch_part_value gauge',
    'polewatch_part_value{role="sensing",part="mast",value="air temperature"} -3.5',
    'polewatch_shed_alerts_total{role="sensing"} 7',
    'polewatch_backlog_alerts{role="sensing"} 2',
    'polewatch_clock_error_seconds +Inf',
    'polewatch_process_cpu_seconds_total{role="sensing"} 1.5',
    'polewatch_faults_raised_total{role="sensing"} 4',
  ]) {
    t.ok(text.split('\n').includes(wanted), wanted)
  }
  t.equal((await ask({ socketPath, path: '/' })).status, 404)
  t.equal((await ask({ socketPath, path: '/metrics', method: 'POST' })).status, 404)

  const local = await serveMetrics(0, () => figures)
  t.teardown(() => local.close())
  const address = local.address()
  if (address === null || typeof address === 'string') throw new Error('a port was expected')
  t.equal(address.address, '127.0.0.1')
  t.equal((await ask({ host: '127.0.0.1', port: address.port, path: '/metrics' })).text, text)
})
