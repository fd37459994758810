/* global StripChart */

const element = id => document.getElementById(id)
const levels = new Map()
let stream = null
let clockPlot = null

/** A new element with text; what comes from the unit is never taken for markup. */
function made(name, className, text) {
  const node = document.createElement(name)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

async function ask(path, body) {
  const options =
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(path, options)
  const answer = await response.json()
  if (response.ok) return answer
  if (response.status === 401 && path !== '/sign-in') showSignIn()
  throw new Error(answer.why)
}

function showSignIn() {
  stream?.close()
  stream = null
  element('console').hidden = true
  element('sign-out').hidden = true
  element('sign-in').hidden = false
  element('connection').textContent = ''
}

function showConsole() {
  element('sign-in').hidden = true
  element('console').hidden = false
  element('sign-out').hidden = false
  clockPlot ??= new StripChart(element('clock-plot'), ['error'], 'ms', 900, null)
  stream?.close()
  stream = new EventSource('/live')
  stream.addEventListener('open', () => {
    element('connection').textContent = 'live'
  })
  stream.addEventListener('error', () => {
    element('connection').textContent = 'no connection'
    // The browser tries again by itself, unless the session is over.
    if (stream?.readyState === EventSource.CLOSED) showSignIn()
  })
  const on = (name, show) => stream.addEventListener(name, ({ data }) => show(JSON.parse(data)))
  on('sound', showSound)
  on('condition', showCondition)
  on('clap', showClaps)
  on('signed-out', showSignIn)
  refreshLists()
}

async function refreshLists() {
  try {
    const [faults, policy] = await Promise.all([ask('/faults'), ask('/policy')])
    element('faults').replaceChildren(...faults.map(faultItem))
    if (faults.length === 0) element('faults').append(made('li', '', 'None lately.'))
    element('policy').replaceChildren(...policy.map(sentence => made('li', '', sentence)))
    const accesses = await ask('/accesses')
    element('accesses').replaceChildren(...accesses.map(accessItem))
  } catch (error) {
    element('connection').textContent = error.message
  }
}

function faultItem({ time, part, fault, state, detail, exercise }) {
  const item = made('li')
  item.append(
    made('span', 'when', localTime(time)),
    ' ',
    made('strong', state === 'raised' ? 'bad' : 'good', state === 'raised' ? 'began' : 'over'),
  )
  item.append(` ${part}: ${fault}${exercise ? ' (drill)' : ''} `, made('div', 'when', ''))
  item.lastChild.className = 'text'
  item.lastChild.textContent = detail
  return item
}

function accessItem({ time, who, what, purpose }) {
  const item = made('li')
  item.append(made('span', 'when', localTime(time)), ' ', made('strong', '', who), ` ${what.replaceAll('-', ' ')}`)
  if (purpose !== '') item.append(made('span', 'when', ` for ${purpose.replaceAll('-', ' ')}`))
  return item
}

function localTime(text) {
  return new Date(text).toLocaleString([], { dateStyle: 'medium', timeStyle: 'medium', hour12: false })
}

/** The share of a meter that a level fills: 90 dB below full scale is its left end. */
function share(decibel) {
  return `${Math.round(Math.min(1, Math.max(0, (decibel + 90) / 90)) * 1000) / 10}%`
}

function showSound(arrays) {
  const now = Date.now() / 1000
  const heard = (arrays ?? []).filter(({ levels }) => levels !== null)
  element('no-sound').hidden = heard.length > 0
  for (const { array, levels: channels } of heard) {
    const shown = levels.get(array) ?? newArray(array, channels.length)
    for (const [index, { level, peak }] of channels.entries()) {
      const { row, meter, decibel } = shown.rows[index]
      const dead = peak <= -120
      row.classList.toggle('dead', dead)
      meter.style.setProperty('--level', share(level))
      meter.style.setProperty('--peak', share(peak))
      meter.setAttribute('aria-valuenow', Math.round(level))
      decibel.textContent = dead ? 'silent' : `${Math.round(level)} dB`
    }
    shown.plot.add(
      now,
      channels.map(({ level }) => level),
    )
  }
}

function newArray(array, count) {
  const place = element('arrays')
  place.append(made('h3', '', `${array}, decibel of full scale`))
  const rows = Array.from({ length: count }, (_, index) => {
    const row = made('div', 'channel')
    const meter = made('div', 'meter')
    meter.setAttribute('role', 'meter')
    meter.setAttribute('aria-label', `${array} microphone ${index + 1}`)
    meter.setAttribute('aria-valuemin', '-120')
    meter.setAttribute('aria-valuemax', '0')
    meter.append(made('i'), made('b'))
    const decibel = made('span', 'decibel')
    row.append(made('span', 'number', index + 1), meter, decibel)
    place.append(row)
    return { row, meter, decibel }
  })
  const drawn = made('div', 'plot')
  drawn.setAttribute('role', 'img')
  drawn.setAttribute('aria-label', `Levels of ${array} over the last minute`)
  place.append(drawn)
  const names = rows.map((_, index) => `${index + 1}`)
  const shown = { rows, plot: new StripChart(drawn, names, 'dB', 120, [-90, 0]) }
  levels.set(array, shown)
  return shown
}

const marks = { works: '✓', fault: '✗', unknown: '?' }

function findingItem({ part, state, fault, detail, advice, code }, full) {
  const item = made('li', `finding ${state}`)
  const mark = made('span', 'mark', marks[state])
  mark.setAttribute('role', 'img')
  mark.setAttribute('aria-label', state)
  const body = made('div')
  body.append(made('span', 'name', part), ' ', made('span', 'text', detail))
  if (full && advice !== null) body.append(made('span', 'advice', advice))
  if (full && fault !== null) body.append(made('span', 'text', code === null ? fault : `${fault}, ${code}`))
  item.append(mark, body)
  return item
}

let shownFindings = ''

function summaryOf(parts, faults, unknown) {
  if (faults > 0) return `${faults} of ${parts} parts ${faults === 1 ? 'does' : 'do'} not work`
  return unknown > 0 ? `Of ${unknown} of ${parts} parts it cannot be told` : `All ${parts} parts work`
}

function showCondition({ at, online, clock, streams, waitingSince, findings, exercise }) {
  element('exercise').hidden = !exercise
  const wrong = findings.filter(({ state }) => state !== 'works')
  const faults = wrong.filter(({ state }) => state === 'fault').length
  const summary = summaryOf(findings.length, faults, wrong.length - faults)
  if (element('summary').textContent !== summary) {
    // A fault has come or gone.
    element('summary').textContent = summary
    element('summary').className = faults > 0 ? 'bad' : wrong.length > 0 ? '' : 'good'
    if (shownFindings !== '') refreshLists()
  }
  const text = JSON.stringify(findings)
  if (text !== shownFindings) {
    shownFindings = text
    element('wrong').replaceChildren(...wrong.map(finding => findingItem(finding, true)))
    element('parts').replaceChildren(
      ...[...new Set(findings.map(({ area }) => area))].flatMap(area => {
        const list = made('ul', 'findings')
        list.append(...findings.filter(each => each.area === area).map(finding => findingItem(finding, false)))
        return [made('h3', '', area), list]
      }),
    )
  }
  showClock(at, clock)
  showDelivery(at, online, streams, waitingSince)
}

function showClock(at, clock) {
  const error = clock?.error ?? null
  element('clock').textContent =
    error === null
      ? 'Nothing is known of the clock.'
      : `It follows ${clock.source}, give or take ${(error * 1000).toPrecision(2)} ms.`
  clockPlot.place.hidden = error === null
  if (error !== null) clockPlot.add(at, [error * 1000])
}

function showDelivery(at, online, streams, waitingSince) {
  const connected = online ? 'The broker is connected.' : 'There is no connection to the broker.'
  const oldest =
    waitingSince === null ? 'Everything has arrived.' : `The oldest alert waits for ${Math.round(at - waitingSince)} s.`
  element('delivery').textContent = `${connected} ${oldest}`
  element('streams').replaceChildren(
    ...streams.map(({ source, last, acknowledged }) => {
      const row = made('tr')
      const [, , , role, priority] = source.split('/')
      const cells = [`${priority} of ${role}`, last, acknowledged, Math.max(0, last - acknowledged)]
      row.append(...cells.map(cell => made('td', '', cell)))
      return row
    }),
  )
}

function showClaps({ claps, missing }) {
  for (const { array, time, heard, missed, bearing } of claps) {
    const not = missed.length === 0 ? '' : `; not by ${missed.join(', ')}`
    const from =
      bearing === null ? '' : `; from ${Math.round(bearing.azimuth)}° give or take ${Math.ceil(bearing.error)}°`
    const item = made('li')
    const when = new Date(time * 1000).toLocaleTimeString([], { hour12: false })
    item.append(made('span', 'when', when), ` ${array}: heard by microphone ${heard.join(', ')}${not}${from}`)
    element('claps').prepend(item)
  }
  const done = missing.length === 0
  element('clap-state').textContent = done
    ? 'Every microphone has heard a clap.'
    : `Clap your hands. No clap yet from ${missing.join(', ')}.`
  element('clap-state').className = done ? 'good' : ''
  element('clap').disabled = false
}

element('sign-in').addEventListener('submit', async event => {
  event.preventDefault()
  const form = event.target
  const button = form.querySelector('button')
  button.disabled = true
  element('refusal').textContent = ''
  try {
    await ask('/sign-in', { who: form.who.value, purpose: form.purpose.value, phrase: form.phrase.value })
    form.phrase.value = ''
    showConsole()
  } catch (error) {
    element('refusal').textContent = error.message
    form.phrase.select()
  }
  button.disabled = false
})

element('sign-out').addEventListener('click', async () => {
  await ask('/sign-out', {}).catch(() => {})
  showSignIn()
})

element('clap').addEventListener('click', async () => {
  element('claps').replaceChildren()
  element('clap-state').textContent = 'Clap your hands once, an arm above your head.'
  element('clap').disabled = true
  await ask('/clap-test', {}).catch(error => {
    element('clap-state').textContent = error.message
    element('clap').disabled = false
  })
  refreshLists()
})

element('exercise-alert').addEventListener('click', async () => {
  const state = element('exercise-state')
  element('exercise-alert').disabled = true
  state.className = ''
  state.textContent = 'On its way …'
  try {
    const { acknowledgedAfter } = await ask('/exercise-alert', {})
    state.className = acknowledgedAfter === null ? 'bad' : 'good'
    state.textContent =
      acknowledgedAfter === null
        ? 'Made, but it has not arrived within 30 s.'
        : `It arrived after ${acknowledgedAfter.toFixed(1)} s.`
  } catch (error) {
    state.className = 'bad'
    state.textContent = error.message
  }
  element('exercise-alert').disabled = false
  refreshLists()
})

const { site, gateway, signedIn } = await ask('/unit')
element('gateway').textContent = gateway
element('site').textContent = site
document.title = `${gateway} – polewatch`
if (signedIn) showConsole()
