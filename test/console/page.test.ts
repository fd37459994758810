import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { type Test, test } from 'tap'
import { verifyChain } from '../../gateway/journal/audit.js'
import { createSigningKey } from '../../gateway/messages/keys.js'
import { folderOf, polewatch, RunningCommand, until } from '../commands/polewatch.js'
import { writeGateway } from '../uplink/attack.js'
import { brokerKinds } from '../uplink/brokers.js'
import { contrastFaults, namelessControls } from './accessibility.js'

const executablePath = '/usr/bin/chromium'
const noBrowser = existsSync(executablePath) ? false : `${executablePath} is not installed`

/** A process of its own: this one stands still while a command runs. */
const [, mosquitto] = brokerKinds
const noBroker = mosquitto?.missing ?? false
const list = 'plate,state,purpose,expires,id\nPOLE123,PA,stolen-vehicle,2035-01-01T00:00:00Z,entry-1\n'
const patience = { timeout: 60_000 }

/** A gateway that is well: a made-up array that hears a shot every three seconds, a reader, a list, a clock, a broker and a hub. */
async function wellGateway(t: Test) {
  const folder = folderOf(t)
  const broker = await mosquitto?.create()
  if (broker === undefined) throw new Error('no broker')
  await broker.up()
  t.teardown(() => broker.remove())
  const chronyc = join(folder, 'chronyc')
  const now = (Date.now() / 1000).toFixed(3)
  writeFileSync(
    chronyc,
    `#!/bin/sh\necho "50505300,PPS,1,${now},0.000001,0,0,1.5,0.01,0.5,0.0004,0.0001,16.0,Normal"\n`,
  )
  chmodSync(chronyc, 0o755)
  const array = { name: 'roof', driver: 'simulator', geometry: 'square', sampleRate: 16_000, shotInterval: 3 }
  const reader = { name: 'gate', driver: 'simulator', plates: ['UNL1STED'], interval: 1 }
  const file = writeGateway(folder, broker.url, { hub: createSigningKey(), operator: createSigningKey() }, [
    { path: ['clock'], value: { chronyc } },
    { path: ['microphoneArrays'], value: [array] },
    { path: ['plateReaders'], value: [reader] },
  ])
  writeFileSync(join(folder, 'list.csv'), list)
  t.equal(polewatch('hotlist', 'import', '--config', file, join(folder, 'list.csv')).status, 0)
  const hub = (): RunningCommand => {
    const arguments_ = [
      '--broker',
      broker.url,
      '--site',
      siteOf(file),
      '--acknowledge',
      '--key',
      join(folder, 'hub.key'),
    ]
    const command = new RunningCommand('watch', ...arguments_, '--record', join(folder, 'hub.ndjson'))
    t.teardown(() => command.stop())
    return command
  }
  const gateway = (): RunningCommand => {
    const command = new RunningCommand('run', '--config', file)
    t.teardown(() => command.stop())
    return command
  }
  return { folder, file, hub, gateway }
}

function siteOf(file: string): string {
  return /^site: (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? ''
}

interface CheckLine {
  readonly part: string
  readonly state: string
  readonly fault: string | null
}

function check(file: string): { status: number | null; findings: CheckLine[] } {
  const { status, output } = polewatch('check', '--json', '--config', file)
  const lines = output.trim().split('\n')
  return { status, findings: lines.slice(0, -1).map((line): CheckLine => JSON.parse(line)) }
}

test('polewatch check says of every part whether it works, and its guided tests lead through claps, reads and an alert', {
  skip: noBroker,
  timeout: 300_000,
}, async t => {
  const { folder, file, hub, gateway } = await wellGateway(t)
  const before = polewatch('check', '--config', file)
  t.equal(before.status, 1)
  t.match(before.output, /sensing: not-running.*\n.*systemctl start polewatch\.target.*PW_NOT_RUNNING/)
  t.match(before.output, 'The gateway does not run')
  t.match(before.output, /unknown roof microphone 1/)
  t.match(polewatch('check', '--clap', '--config', file).errors, 'PW_NOT_RUNNING')

  const running = gateway()
  const listening = hub()
  await until(() => check(file).status === 0, 'a gateway of which every part works')
  const names = check(file).findings.map(({ part }) => part)
  for (const name of ['roof', 'roof microphone 4', 'gate', 'clock', 'wanted', 'broker', 'alerts', 'memory of sensing'])
    t.ok(names.includes(name), name)

  const clap = polewatch('check', '--clap', '--config', file)
  t.equal(clap.status, 0)
  t.match(clap.output, /roof: heard by microphone 1, 2, 3, 4/)
  const read = polewatch('check', '--read', '--config', file)
  t.equal(read.status, 0)
  t.match(read.output, /gate: \d+ read/)
  t.notMatch(read.output + read.errors, 'UNL1STED')
  const alert = polewatch('check', '--alert', '--config', file)
  t.equal(alert.status, 0)
  t.match(alert.output, /Acknowledged by the hub/)
  const made = readFileSync(join(folder, 'hub.ndjson'), 'utf8')
    .split('\n')
    .filter(line => line.includes('"fault":"exercise"'))
    .map((line): { exercise: boolean; data: { state: string } } => JSON.parse(line))
  t.match(made, [
    { exercise: true, data: { state: 'raised' } },
    { exercise: true, data: { state: 'cleared' } },
  ])
  t.notOk(
    readdirSync(join(folder, 'run')).some(name => name.startsWith('check.')),
    'nothing is left of the request',
  )

  await listening.stop()
  const unheard = polewatch('check', '--alert', '--timeout', '15', '--config', file)
  t.equal(unheard.status, 1)
  t.match(unheard.output, /has not acknowledged it within 15 s/)
  await running.stop()
  await until(() => check(file).findings.some(({ fault }) => fault === 'not-running'), 'the word that it stands still')
})

test("the technician's page shows what works, live, and who looked; it fits a telephone, and everything on it can be reached and read", {
  skip: noBrowser || noBroker,
  timeout: 300_000,
}, async t => {
  const { folder, file, hub, gateway } = await wellGateway(t)
  t.match(polewatch('console', '--config', file).errors, 'PW_CONSOLE_PHRASE', 'it does not open without a pass phrase')
  const { phrase } = JSON.parse(polewatch('console', '--new-phrase', '--json', '--config', file).output)
  const running = gateway()
  hub()
  await until(() => check(file).status === 0, 'a gateway of which every part works')
  const console = new RunningCommand('console', '--config', file, '--port', '0', '--json')
  t.teardown(() => console.stop())
  const address = await until(() => /"address":"(.*?)"/.exec(console.output)?.[1], 'the console')

  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  t.teardown(() => browser.close())
  const { page, told } = await openPage(browser, address, 360, 'light')
  await signIn(page, 'wrong')
  await page.getByText('That is not the pass phrase.').waitFor(patience)
  await signIn(page, phrase)
  await page.getByRole('heading', { name: /^All \d+ parts work$/ }).waitFor(patience)
  const [cookie] = await page.context().cookies()
  t.match(cookie, { httpOnly: true, sameSite: 'Strict', domain: '127.0.0.1' })

  const meter = page.getByRole('meter', { name: 'roof microphone 4' })
  await meter.and(page.locator('[aria-valuenow]')).waitFor(patience)
  t.ok(Number(await meter.getAttribute('aria-valuenow')) > -120, 'a live level')
  await page.getByRole('button', { name: 'Start a clap test' }).click()
  await page.getByText('Every microphone has heard a clap.').waitFor(patience)
  await page.getByRole('button', { name: 'Send an alert for a drill' }).click()
  await page.getByText(/^It arrived after/).waitFor(patience)
  await page.getByText('follows PPS').first().waitFor(patience)
  await page.getByText('A plate on none of them is forgotten at once').waitFor(patience)
  await page.getByText('for inspection').first().waitFor(patience)

  for (const [width, theme] of [
    [360, 'light'],
    [360, 'dark'],
    [1280, 'light'],
    [1280, 'dark'],
  ] as const) {
    await page.setViewportSize({ width, height: 800 })
    await page.emulateMedia({ colorScheme: theme })
    const name = `${width} pixels, ${theme}`
    t.equal(await page.evaluate('document.documentElement.scrollWidth'), width, `${name}: no sideways scrolling`)
    t.strictSame(await contrastFaults(page), [], `${name}: every text stands out`)
    await picture(page, `${width}-${theme}`)
  }
  t.strictSame(await namelessControls(page), [], 'every control has a name')
  await page.getByRole('button', { name: 'Start a clap test' }).focus()
  await page.keyboard.press('Enter')
  await page.getByText(/^Clap your hands/).waitFor(patience)

  t.equal(await running.stop(), 0)
  await page.getByText('sensing does not run, so nothing is known').first().waitFor(patience)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByLabel('Pass phrase').waitFor(patience)
  await page.reload()
  await page.getByLabel('Pass phrase').waitFor(patience)
  t.strictSame(told.errors, ['401'], 'the browser complains of nothing but the wrong pass phrase')
  t.ok(
    told.requests.length > 5 && told.requests.every(url => url.startsWith(address)),
    'nothing comes from anywhere else',
  )

  t.equal(await console.stop(), 0)
  const journal = join(folder, 'state', 'console.journal.db')
  t.match(verifyChain(journal), { valid: true })
  for (const word of ['number 4711', 'inspection', 'sign-in-refused', 'exercise-alert', 'clap-test', 'sign-out'])
    t.ok(readFileSync(journal).includes(word), `the chain holds: ${word}`)
  for (const name of readdirSync(join(folder, 'state', 'keys')))
    t.notMatch(readFileSync(join(folder, 'state', 'keys', name), 'utf8'), phrase)
  t.notMatch(console.output + console.errors, phrase)
})

async function openPage(browser: Browser, address: string, width: number, colorScheme: 'light' | 'dark') {
  const page = await browser.newPage({ viewport: { width, height: 740 }, colorScheme })
  const told: { errors: string[]; requests: string[] } = { errors: [], requests: [] }
  page.on('console', message => {
    if (message.type() === 'error') told.errors.push(/status of (\d+)/.exec(message.text())?.[1] ?? message.text())
  })
  page.on('pageerror', error => told.errors.push(error.message))
  page.on('request', request => told.requests.push(request.url()))
  await page.goto(address)
  return { page, told }
}

async function signIn(page: Page, phrase: string): Promise<void> {
  await page.getByLabel('Your name or number').fill('number 4711')
  await page.getByLabel('What for').selectOption('inspection')
  await page.getByLabel('Pass phrase').fill(phrase)
  await page.keyboard.press('Enter')
}

/** For who wants to see it: POLEWATCH_PICTURES names a folder. */
async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env.POLEWATCH_PICTURES
  if (folder === undefined) return
  mkdirSync(folder, { recursive: true })
  await page.screenshot({ path: join(folder, `console-${name}.png`), fullPage: true })
}
