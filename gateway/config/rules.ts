import { valueAt } from './describe.js'
import { isEncrypted } from './fields.js'
import { nearest } from './nearest.js'
import type { Finding } from './problem.js'
import type { Path } from './source.js'

/** Names that device files have, without their endings. */
export interface DeviceNames {
  readonly microphoneArrays: readonly string[]
  readonly plateReaders: readonly string[]
  readonly sensorBoards: readonly string[]
}

/** What holds between keys. Looks at the file as it stands, so that it finds its faults beside all others. */
export function brokenRules(raw: unknown, devices: DeviceNames | null): Finding[] {
  return [
    ...repeated(
      raw,
      [
        ...['microphoneArrays', 'plateReaders', 'sensorBoards', 'cameras', 'digitalIo'].flatMap(list =>
          items(raw, [list]),
        ),
        ...lines(raw),
      ],
      'name',
    ),
    ...sharedLines(raw),
    ...repeated(raw, items(raw, ['hotlist', 'lists']), 'name'),
    ...repeated(raw, items(raw, ['microphoneArrays']), 'device'),
    ...repeated(raw, [...items(raw, ['plateReaders']), ...items(raw, ['sensorBoards'])], 'port'),
    ...foreignCallers(raw),
    ...cameraPasswords(raw),
    ...windWithoutDirection(raw),
    ...missingHubKey(raw),
    ...encryption(raw),
    ...passwordWithoutUser(raw),
    ...unknownDevices(raw, devices),
  ]
}

function items(raw: unknown, list: Path): Path[] {
  const value = valueAt(raw, list)
  return Array.isArray(value) ? value.map((_, index) => [...list, index]) : []
}

function repeated(raw: unknown, parts: readonly Path[], key: string): Finding[] {
  const seen = new Map<string, Path>()
  return parts.flatMap(part => {
    const value = valueAt(raw, [...part, key])
    if (typeof value !== 'string') return []
    const first = seen.get(value)
    if (first === undefined) {
      seen.set(value, part)
      return []
    }
    return [
      {
        path: [...part, key],
        allowed: `a ${key} of its own: ${spoken(first)} has this one`,
      },
    ]
  })
}

/** Every input and output of every chip. */
function lines(raw: unknown): Path[] {
  return items(raw, ['digitalIo']).flatMap(chip => [
    ...items(raw, [...chip, 'inputs']),
    ...items(raw, [...chip, 'outputs']),
  ])
}

/** A line has one use, by one part. */
function sharedLines(raw: unknown): Finding[] {
  const readers = items(raw, ['plateReaders']).flatMap(part =>
    ['data0', 'data1'].map(key => ({ chip: part, line: [...part, key] })),
  )
  const uses = lines(raw).map(part => ({ chip: part.slice(0, 2), line: [...part, 'line'] }))
  const seen = new Map<string, Path>()
  return [...readers, ...uses].flatMap(({ chip, line }) => {
    const number = valueAt(raw, line)
    if (typeof number !== 'number') return []
    // Simulated chips have no name but their own.
    const place = `${valueAt(raw, [...chip, 'chip']) ?? chip.join('.')} ${number}`
    const first = seen.get(place)
    if (first === undefined) {
      seen.set(place, line)
      return []
    }
    return [{ path: line, allowed: `a line of its own: ${spoken(first)} has this one` }]
  })
}

function spoken(path: Path): string {
  return path.join('.').replace(/\.(\d+)/g, '[$1]')
}

function windWithoutDirection(raw: unknown): Finding[] {
  const speed = valueAt(raw, ['weather', 'windSpeed'])
  const from = valueAt(raw, ['weather', 'windFrom'])
  if (typeof speed !== 'number' || speed === 0 || (from !== undefined && from !== null)) return []
  return [{ path: ['weather', 'windFrom'], allowed: 'a direction, because windSpeed is given' }]
}

function missingHubKey(raw: unknown): Finding[] {
  const uplink = valueAt(raw, ['uplink'])
  if (typeof uplink !== 'object' || uplink === null || valueAt(uplink, ['acknowledge']) === 'broker') return []
  const key = valueAt(uplink, ['hubKey'])
  if (key !== undefined && key !== null) return []
  return [{ path: ['uplink', 'hubKey'], allowed: "a PEM file with the hub's public key, because acknowledge is hub" }]
}

function passwordWithoutUser(raw: unknown): Finding[] {
  const given = (key: string): boolean => typeof valueAt(raw, ['uplink', key]) === 'string'
  if (!given('passwordFile') || given('user')) return []
  return [{ path: ['uplink', 'user'], allowed: 'a name, because passwordFile is given' }]
}

function foreignCallers(raw: unknown): Finding[] {
  return items(raw, ['plateReaders']).flatMap(part => {
    const [address, callsFrom] = ['address', 'callsFrom'].map(key => valueAt(raw, [...part, key]))
    if (typeof address !== 'string' || typeof callsFrom !== 'string') return []
    const family = address.includes(':') ? 'IPv6' : 'IPv4'
    if (callsFrom.includes(':') === (family === 'IPv6')) return []
    return [{ path: [...part, 'callsFrom'], allowed: `an address or network of ${family}, as address is one` }]
  })
}

function cameraPasswords(raw: unknown): Finding[] {
  return items(raw, ['cameras']).flatMap(part => {
    const given = (key: string): boolean => typeof valueAt(raw, [...part, key]) === 'string'
    if (!given('passwordFile') || given('user')) return []
    return [{ path: [...part, 'user'], allowed: 'a name, because passwordFile is given' }]
  })
}

function encryption(raw: unknown): Finding[] {
  const tls: Path = ['uplink', 'tls']
  const given = (key: string): boolean => typeof valueAt(raw, [...tls, key]) === 'string'
  const findings: Finding[] = []
  if (given('certificate') !== given('key')) {
    const [absent, present] = given('key') ? ['certificate', 'key'] : ['key', 'certificate']
    findings.push({ path: [...tls, absent], allowed: `a PEM file, because ${present} is given` })
  }
  const addresses = [...strings(raw, ['uplink', 'brokers']), ...strings(raw, ['neighbours', 'brokers'])]
  const used = ['ca', 'certificate', 'key'].find(given)
  if (used !== undefined && addresses.length > 0 && !addresses.some(isEncrypted)) {
    findings.push({ path: [...tls, used], allowed: 'nothing, because no broker address starts with mqtts: or wss:' })
  }
  return findings
}

function strings(raw: unknown, list: Path): string[] {
  return items(raw, list).flatMap(path => {
    const value = valueAt(raw, path)
    return typeof value === 'string' ? [value] : []
  })
}

function unknownDevices(raw: unknown, devices: DeviceNames | null): Finding[] {
  if (devices === null) return []
  const check = (list: string, key: string, known: readonly string[]): Finding[] =>
    items(raw, [list]).flatMap(part => {
      const path = [...part, key]
      const name = valueAt(raw, path)
      const simulated = key === 'layout' && valueAt(raw, [...part, 'driver']) === 'simulator'
      if (typeof name !== 'string' || known.includes(name) || simulated) return []
      const meant = nearest(name, known)
      return [{ path, allowed: known.join(', '), ...(meant === null ? {} : { hint: `did you mean ${meant}?` }) }]
    })
  return [
    ...check('microphoneArrays', 'geometry', devices.microphoneArrays),
    ...check('plateReaders', 'layout', devices.plateReaders),
    ...check('sensorBoards', 'pinMap', devices.sensorBoards),
  ]
}
