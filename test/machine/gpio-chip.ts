import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { Level } from '../../drivers/digital-io/drive.js'
import { sceneLines } from '../contracts/digital-io.js'
import { must } from './shell.js'

/** Of every chip that is made here. */
export const label = 'gate-box'
const settings = '/sys/kernel/config/gpio-sim'

function make(name: string, label: string): string {
  const folder = `${settings}/${name}`
  return `mkdir -p ${folder}/bank0; echo 8 >${folder}/bank0/num_lines; echo ${label} >${folder}/bank0/label; echo 1 >${folder}/live; udevadm settle`
}

/** A chip of eight lines that can be pulled out, and comes back under another number. */
export class Chip {
  readonly #name: string
  #lines = ''

  constructor(name: string) {
    this.#name = name
  }

  async plug(): Promise<void> {
    if (this.#lines !== '') await must(make(`${this.#name}-other`, 'other'))
    await must(make(this.#name, label))
    const folder = `${settings}/${this.#name}`
    const [device, chip] = ['dev_name', 'bank0/chip_name'].map(file => readFileSync(`${folder}/${file}`, 'utf8').trim())
    this.#lines = `/sys/devices/platform/${device}/${chip}`
    // The resistors that keep an output released while nobody drives it.
    for (const { line, released } of sceneLines.outputs) this.move(line, released)
  }

  async unplug(): Promise<void> {
    for (const folder of [this.#name, `${this.#name}-other`].map(name => `${settings}/${name}`)) {
      if (existsSync(folder)) await must(`echo 0 >${folder}/live; rmdir ${folder}/bank0 ${folder}`)
    }
  }

  move(line: number, level: Level): void {
    writeFileSync(`${this.#lines}/sim_gpio${line}/pull`, level === 'high' ? 'pull-up' : 'pull-down')
  }

  levelOf(line: number): Level {
    return readFileSync(`${this.#lines}/sim_gpio${line}/value`, 'utf8').trim() === '1' ? 'high' : 'low'
  }
}
