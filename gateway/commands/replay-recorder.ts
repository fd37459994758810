import type { AudioBlock } from '../../drivers/microphone-array/microphone-array.js'
import type { Arrival } from '../acoustics/arrival.js'
import type { PolewatchError } from '../errors.js'
import type { RecordedGateway } from './recording-set.js'
import { Spectrogram, type SpectrogramImage } from './spectrogram.js'

/** Picture elements of all spectrograms together, and the bounds of each. */
const pictureElements = 800_000
const mostColumns = 2000
const fewestColumns = 200
/** Of one gateway so many arrivals are kept, those that stand out most. */
const mostArrivals = 1000

/** What a gateway heard, for drawing. */
export interface HeardGateway {
  readonly gateway: RecordedGateway
  /** One a channel; empty where there was no sound. */
  readonly channels: readonly { readonly image: SpectrogramImage; readonly peak: number }[]
  /** Hertz, and UTC of sample 0 of the stream; 0 where there was no sound. */
  readonly sampleRate: number
  readonly startTime: number
  /** Seconds from sample 0 to the last one heard. */
  readonly length: number
  readonly arrivals: readonly Arrival[]
  readonly faults: readonly PolewatchError[]
}

/** Keeps of a replay what its picture needs. Memory is bounded, however long the recordings are. */
export class ReplayRecorder {
  readonly #tracks = new Map<string, Track>()

  /** @param channels of each gateway's array */
  constructor(gateways: readonly { readonly gateway: RecordedGateway; readonly channels: number }[]) {
    const channels = gateways.reduce((sum, each) => sum + each.channels, 0)
    for (const each of gateways) {
      const rows = rowsOf(each.channels)
      const share = Math.floor(pictureElements / channels / rows / 2) * 2
      const columns = Math.min(mostColumns, Math.max(fewestColumns, share))
      this.#tracks.set(each.gateway.id, new Track(each.gateway, rows, columns))
    }
  }

  sound(gateway: string, block: AudioBlock): void {
    this.#tracks.get(gateway)?.sound(block)
  }

  arrivals(gateway: string, arrivals: readonly Arrival[]): void {
    this.#tracks.get(gateway)?.add(arrivals)
  }

  fault(gateway: string, fault: PolewatchError): void {
    this.#tracks.get(gateway)?.faults.push(fault)
  }

  heard(): HeardGateway[] {
    return [...this.#tracks.values()].map(track => track.heard())
  }
}

/** An array's many strips are drawn lower than a lone microphone's. */
function rowsOf(channels: number): number {
  return channels === 1 ? 64 : channels <= 4 ? 34 : 22
}

class Track {
  readonly faults: PolewatchError[] = []
  readonly #gateway: RecordedGateway
  readonly #rows: number
  readonly #columns: number
  #spectrograms: Spectrogram[] = []
  #arrivals: Arrival[] = []
  #sampleRate = 0
  #startTime = 0
  #end = 0

  constructor(gateway: RecordedGateway, rows: number, columns: number) {
    this.#gateway = gateway
    this.#rows = rows
    this.#columns = columns
  }

  sound({ channels, firstSample, sampleRate, systemTime }: AudioBlock): void {
    if (this.#spectrograms.length === 0) {
      this.#spectrograms = channels.map(() => new Spectrogram(sampleRate, this.#rows, this.#columns))
      this.#sampleRate = sampleRate
      this.#startTime = systemTime - firstSample / sampleRate
    }
    if (sampleRate !== this.#sampleRate) return
    this.#spectrograms.forEach((spectrogram, index) => {
      const samples = channels[index]
      if (samples !== undefined) spectrogram.push(samples, firstSample)
    })
    this.#end = Math.max(this.#end, firstSample + (channels[0]?.length ?? 0))
  }

  add(arrivals: readonly Arrival[]): void {
    this.#arrivals.push(...arrivals)
    if (this.#arrivals.length > 2 * mostArrivals) this.#arrivals = mostSalient(this.#arrivals)
  }

  heard(): HeardGateway {
    return {
      gateway: this.#gateway,
      channels: this.#spectrograms.map(spectrogram => ({ image: spectrogram.image(), peak: spectrogram.peak })),
      sampleRate: this.#sampleRate,
      startTime: this.#startTime,
      length: this.#sampleRate === 0 ? 0 : this.#end / this.#sampleRate,
      arrivals: mostSalient(this.#arrivals),
      faults: this.faults,
    }
  }
}

function mostSalient(arrivals: readonly Arrival[]): Arrival[] {
  return arrivals
    .toSorted((a, b) => b.salience - a.salience)
    .slice(0, mostArrivals)
    .sort((a, b) => a.time - b.time)
}
