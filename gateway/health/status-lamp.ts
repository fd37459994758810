/** What the status lamp tells; flashes are what a person under the pole counts. */
export interface StatusPattern {
  readonly name: string
  /** Short flashes in a row, then a long pause; none for a lamp that stays dark. */
  readonly flashes: number
  readonly meaning: string
  readonly todo: string
}

/** The first one that holds is shown. docs/switches.md has this table; a test compares them. */
export const statusPatterns = [
  {
    name: 'enclosure-open',
    flashes: 5,
    meaning: 'The enclosure is open, or the wire of its contact is cut.',
    todo: 'Close it. The hub has been told, and is told again when it is closed.',
  },
  {
    name: 'power-failed',
    flashes: 4,
    meaning: 'The mains has failed; the unit runs on its battery.',
    todo: 'Check fuse and supply. Finish what needs the unit before the battery is empty.',
  },
  {
    name: 'fault',
    flashes: 3,
    meaning: 'A sensor, a reader or another part has a fault.',
    todo: 'The console and the health message name it and say what to do.',
  },
  {
    name: 'offline',
    flashes: 2,
    meaning: 'There is no connection to the hub. Alerts are kept until there is one.',
    todo: 'Check antenna, network and the address of the broker. After a start it may take a minute.',
  },
  { name: 'good', flashes: 1, meaning: 'All is well.', todo: 'Nothing.' },
  {
    name: 'dark',
    flashes: 0,
    meaning: 'polewatch does not run, or there is no power.',
    todo: 'Check the supply, then `systemctl status polewatch-sensing`.',
  },
] as const satisfies readonly StatusPattern[]

export type StatusName = (typeof statusPatterns)[number]['name']

/** Seconds. */
const flash = 0.15
const gap = 0.25
const pause = 1.5

/** Times after which a lamp that begins lit changes, over and over; none for one that stays dark. */
export function lampChanges(name: StatusName): number[] {
  const flashes = statusPatterns.find(pattern => pattern.name === name)?.flashes ?? 0
  return Array.from({ length: flashes }, (_, index) => [flash, index === flashes - 1 ? pause : gap]).flat()
}

export interface GatewayCondition {
  readonly enclosureOpen: boolean
  readonly powerFailed: boolean
  readonly faulty: boolean
  readonly online: boolean
}

export function statusOf({ enclosureOpen, powerFailed, faulty, online }: GatewayCondition): StatusName {
  if (enclosureOpen) return 'enclosure-open'
  if (powerFailed) return 'power-failed'
  if (faulty) return 'fault'
  return online ? 'good' : 'offline'
}

/** The table for a technician, in Markdown. */
export function statusTable(): string {
  const rows = statusPatterns.map(({ flashes, meaning, todo }) => `| ${spoken(flashes)} | ${meaning} | ${todo} |`)
  return ['| lamp | means | do |', '|---|---|---|', ...rows].join('\n')
}

function spoken(flashes: number): string {
  if (flashes === 0) return 'dark'
  return `${flashes} ${flashes === 1 ? 'flash' : 'flashes'}, pause`
}
