// What is used of two packages that come without types.

declare module 'firmata-io' {
  import type { EventEmitter } from 'node:events'

  interface Transport extends EventEmitter {
    write(bytes: Uint8Array, done: () => void): void
  }

  class Firmata extends EventEmitter {
    constructor(transport: Transport, options: { reportVersionTimeout: number; samplingInterval: number })
    readonly MODES: { readonly INPUT: number }
    readonly buffer: number[]
    readonly pins: unknown[]
    readonly reportVersionTimeoutId: NodeJS.Timeout
    pinMode(pin: number, mode: number): void
    digitalWrite(pin: number, level: number): void
    digitalRead(pin: number, listener: (level: number) => void): void
  }

  const bind: { readonly Firmata: typeof Firmata }
  export default bind
}

declare module 'johnny-five' {
  import type { EventEmitter } from 'node:events'
  import type firmata from 'firmata-io'

  interface Component extends EventEmitter {
    io: unknown
    board: unknown
  }

  interface BoardOptions {
    readonly io: InstanceType<typeof firmata.Firmata>
    readonly repl: false
    readonly debug: false
    readonly sigint: false
  }

  class Board extends EventEmitter {
    constructor(options: BoardOptions)
    /** Every board that was ever made. */
    static readonly cache: Board[]
  }

  class Sensor extends EventEmitter implements Component {
    constructor(options: { board: Board; pin: string; freq: number })
    io: unknown
    board: unknown
    /** The latest conversion; null before the first. */
    readonly raw: number | null
    disable(): this
  }

  class Switch extends EventEmitter implements Component {
    constructor(options: { board: Board; pin: number; type: 'NO' })
    io: unknown
    board: unknown
    readonly isOpen: boolean
    readonly isClosed: boolean
  }

  class Multi extends EventEmitter implements Component {
    constructor(options: { board: Board; controller: 'BMP280' | 'BME280'; address: number; freq: number })
    io: unknown
    board: unknown
    /** Celsius. */
    readonly thermometer: { readonly celsius: number }
    /** Kilopascal. */
    readonly barometer: { readonly pressure: number }
    readonly hygrometer?: { readonly relativeHumidity: number }
  }

  const five: {
    readonly Board: typeof Board
    readonly Sensor: typeof Sensor
    readonly Switch: typeof Switch
    readonly Multi: typeof Multi
  }
  export default five
}
