import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  AVRADC,
  AVRIOPort,
  AVRTimer,
  AVRTWI,
  AVRUSART,
  adcConfig,
  avrInstruction,
  CPU,
  portBConfig,
  portCConfig,
  portDConfig,
  type TWIEventHandler,
  timer0Config,
  timer1Config,
  timer2Config,
  twiConfig,
  usart0Config,
} from 'avr8js'

/*
 * The ATmega328P of an Arduino Uno that runs genuine StandardFirmata, as a program: its serial line is a pseudo-terminal at
 * the first argument, orders come as lines of JSON, and the end of standard input is the pulled plug.
 */

const hertz = 16_000_000
const [path = '', firmware = 'firmata'] = process.argv.slice(2)

function flash(): Uint16Array {
  const hex = new URL('../../../test/golden/firmware/standard-firmata-uno.hex', import.meta.url)
  const bytes = new Uint8Array(0x8000)
  for (const line of readFileSync(hex, 'utf8').split('\n')) {
    if (!line.startsWith(':') || line.slice(7, 9) !== '00') continue
    bytes.set(
      Buffer.from(line.slice(9, 9 + 2 * Number.parseInt(line.slice(1, 3), 16)), 'hex'),
      Number.parseInt(line.slice(3, 7), 16),
    )
  }
  return new Uint16Array(bytes.buffer)
}

const cpu = new CPU(flash())
for (const timer of [timer0Config, timer1Config, timer2Config]) new AVRTimer(cpu, timer)
for (const port of [portBConfig, portCConfig]) new AVRIOPort(cpu, port)
const portD = new AVRIOPort(cpu, portDConfig)
const converter = new AVRADC(cpu, adcConfig)
const serial = new AVRUSART(cpu, usart0Config, hertz)
const twoWire = new AVRTWI(cpu, twiConfig, hertz)

/** A BMP280 at 0x76: registers with the calibration of the data sheet's worked example. */
class Bmp280 implements TWIEventHandler {
  readonly registers = new Uint8Array(256)
  #pointer = 0
  #first = false
  #mine = false

  constructor() {
    const words = [27504, 26435, -1000, 36477, -10685, 3024, 2855, 140, -7, 15500, -14600, 6000]
    words.forEach((word, index) => {
      this.registers.set([word & 0xff, (word >> 8) & 0xff], 0x88 + 2 * index)
    })
    this.set(519888, 415148)
  }

  set(temperature: number, pressure: number): void {
    for (const [register, raw] of [
      [0xf7, pressure],
      [0xfa, temperature],
    ] as const) {
      this.registers.set([raw >> 12, (raw >> 4) & 0xff, (raw << 4) & 0xff], register)
    }
  }

  start(): void {
    twoWire.completeStart()
  }

  stop(): void {
    twoWire.completeStop()
  }

  connectToSlave(address: number, write: boolean): void {
    this.#mine = address === 0x76
    this.#first = write
    twoWire.completeConnect(this.#mine)
  }

  writeByte(value: number): void {
    if (this.#first) this.#pointer = value
    this.#first = false
    twoWire.completeWrite(this.#mine)
  }

  readByte(): void {
    twoWire.completeRead(this.registers[this.#pointer++ & 0xff] ?? 0)
  }
}

const sensor = new Bmp280()
twoWire.eventHandler = sensor

const socat = spawn('socat', ['-', `pty,raw,echo=0,link=${path}`], { stdio: ['pipe', 'pipe', 'inherit'] })
socat.on('close', () => process.exit(0))
socat.stdin.on('error', () => {})
process.on('exit', () => socat.kill())

const incoming: number[] = []
socat.stdout.on('data', (chunk: Buffer) => incoming.push(...chunk))
let outgoing: number[] = []
serial.onByteTransmit = value => outgoing.push(value)

let halted = false
let pulses = 0
for (let pin = 0; pin < 8; pin += 1) portD.setPin(pin, true)

function obey(line: string): void {
  const order = JSON.parse(line)
  Object.entries<number>(order.volts ?? {}).forEach(([channel, volts]) => {
    converter.channelValues[Number(channel)] = volts
  })
  Object.entries<boolean>(order.levels ?? {}).forEach(([pin, level]) => {
    portD.setPin(Number(pin), level)
  })
  if (order.bmp280 !== undefined) sensor.set(order.bmp280.temperature, order.bmp280.pressure)
  if (order.noise !== undefined) socat.stdin.write(Buffer.from(order.noise, 'hex'))
  pulses = order.pulses ?? pulses
  halted = order.halt ?? halted
}

const orders = createInterface({ input: process.stdin })
orders.on('line', obey)
orders.on('close', () => socat.kill())

let began = performance.now()
let cycles = 0

/** Runs as far as time has gone, or as the machine can. */
function run(): void {
  const target = cpu.cycles + Math.min(((performance.now() - began) / 1000) * hertz - cycles, hertz / 50)
  const from = cpu.cycles
  while (cpu.cycles < target) {
    avrInstruction(cpu)
    cpu.tick()
    const byte = incoming[0]
    if (byte !== undefined && serial.rxEnable && !serial.rxBusy) {
      incoming.shift()
      serial.writeByte(byte)
    }
  }
  cycles += cpu.cycles - from
  if (((performance.now() - began) / 1000) * hertz - cycles > hertz / 10) {
    began = performance.now()
    cycles = 0
  }
  if (pulses > 0) portD.setPin(4, Math.floor((cpu.cycles / hertz) * pulses * 2) % 2 === 0)
  if (outgoing.length > 0) {
    socat.stdin.write(Buffer.from(outgoing))
    outgoing = []
  }
}

setInterval(() => {
  if (firmware === 'chatter') socat.stdin.write('temp=21.5\r\n')
  else if (!halted) run()
}, 5)
