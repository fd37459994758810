import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'

/** Ticks of RTP a second of video, and the most bytes of a packet (RFC 6184). */
const ticks = 90_000
const largestPacket = 1200
/** Of the seconds before, a camera sends so many at once, so that its player need not wait to know the stream. */
const keptSeconds = 1.2
const slice = 1
const keySlice = 5
const sequenceSet = 7
const pictureSet = 8

/** Units of an H.264 byte stream, without their start codes (Annex B of ITU-T H.264). */
function unitsOf(stream: Buffer): Buffer[] {
  const starts: number[] = []
  for (let at = stream.indexOf('000001', 0, 'hex'); at >= 0; at = stream.indexOf('000001', at + 3, 'hex'))
    starts.push(at + 3)
  return starts.map((start, index) => {
    let end = (starts[index + 1] ?? stream.length + 3) - 3
    while (end > start && stream[end - 1] === 0) end -= 1
    return stream.subarray(start, end)
  })
}

function kindOf(unit: Buffer): number {
  return (unit[0] ?? 0) & 0x1f
}

/** Pictures, each with its units; a slice whose first block is the picture's first begins another. */
function picturesOf(units: readonly Buffer[]): Buffer[][] {
  const pictures: Buffer[][] = []
  let current: Buffer[] = []
  let sliced = false
  for (const unit of units) {
    const isSlice = kindOf(unit) === slice || kindOf(unit) === keySlice
    const begins = isSlice ? ((unit[1] ?? 0) & 0x80) !== 0 : true
    if (sliced && begins) {
      pictures.push(current)
      current = []
      sliced = false
    }
    current.push(unit)
    sliced ||= isSlice
  }
  return sliced ? [...pictures, current] : pictures
}

export interface RtspStandInOptions {
  /** To listen on; this machine alone unless given. */
  readonly address?: string
  /** Name and password that it wants, with a colon between (RFC 7617). */
  readonly login?: string
}

/**
 * A camera on the network that speaks RTSP 1.0 (RFC 2326) and sends H.264 in RTP over the same connection, again and again. It
 * stands in where no server of others is installed, and knows what a player asks and nothing more.
 */
export class RtspStandIn {
  readonly #pictures: readonly Buffer[][]
  readonly #framesPerSecond: number
  readonly #authorization: string | null
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(pictures: readonly Buffer[][], framesPerSecond: number, login?: string) {
    this.#pictures = pictures
    this.#authorization = login === undefined ? null : `Basic ${Buffer.from(login).toString('base64')}`
    this.#framesPerSecond = framesPerSecond
    this.#server = createServer({ noDelay: true }, socket => this.#serve(socket))
  }

  /** @param stream file with an H.264 byte stream that begins with a key picture */
  static async on(
    port: number,
    stream: string,
    framesPerSecond: number,
    { address = '127.0.0.1', login }: RtspStandInOptions = {},
  ): Promise<RtspStandIn> {
    const camera = new RtspStandIn(picturesOf(unitsOf(readFileSync(stream))), framesPerSecond, login)
    camera.#server.listen(port, address)
    await once(camera.#server, 'listening')
    return camera
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>(resolve => this.#server.close(() => resolve()))
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    let sending: NodeJS.Timeout | undefined
    let heard = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('close', () => {
      clearInterval(sending)
      this.#sockets.delete(socket)
    })
    socket.on('data', chunk => {
      heard = Buffer.concat([heard, chunk])
      for (;;) {
        // What the player says of its reception comes between its requests, marked and with its length.
        while (heard[0] === 0x24 && heard.length >= 4) heard = heard.subarray(4 + heard.readUInt16BE(2))
        const end = heard.indexOf('\r\n\r\n')
        if (end < 0) return
        const request = heard.subarray(0, end).toString()
        heard = heard.subarray(end + 4)
        const welcome = this.#authorization === null || request.includes(`\r\nAuthorization: ${this.#authorization}`)
        socket.write(welcome ? this.#answer(request) : refusal(request))
        if (welcome && request.startsWith('PLAY ')) sending ??= this.#send(socket)
        if (request.startsWith('TEARDOWN ')) socket.end()
      }
    })
  }

  #answer(request: string): string {
    const [method] = request.split(' ')
    const head = `RTSP/1.0 200 OK\r\nCSeq: ${sequenceOf(request)}\r\n`
    if (method === 'OPTIONS') return `${head}Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n\r\n`
    if (method === 'SETUP') return `${head}Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n`
    if (method !== 'DESCRIBE') return `${head}Session: 1\r\n\r\n`
    const description = this.#description()
    return `${head}Content-Type: application/sdp\r\nContent-Length: ${description.length}\r\n\r\n${description}`
  }

  #description(): string {
    const units = this.#pictures.flat()
    const sets = [sequenceSet, pictureSet].map(
      kind => units.find(unit => kindOf(unit) === kind)?.toString('base64') ?? '',
    )
    return [
      ...['v=0', 'o=- 0 0 IN IP4 127.0.0.1', 's=street', 't=0 0', 'm=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000'],
      ...[`a=fmtp:96 packetization-mode=1;sprop-parameter-sets=${sets.join(',')}`, 'a=control:track1', ''],
    ].join('\r\n')
  }

  #send(socket: Socket): NodeJS.Timeout {
    let [picture, number] = [0, 0]
    const send = (): void => {
      const units = this.#pictures[picture % this.#pictures.length] ?? []
      const packets = units.flatMap(packetsOf)
      for (const [index, payload] of packets.entries()) {
        const header = Buffer.alloc(16)
        header[0] = 0x24
        header.writeUInt16BE(12 + payload.length, 2)
        header[4] = 0x80
        header[5] = 96 + (index === packets.length - 1 ? 0x80 : 0)
        header.writeUInt16BE(number & 0xffff, 6)
        header.writeUInt32BE(((picture * ticks) / this.#framesPerSecond) % 2 ** 32, 8)
        header.writeUInt32BE(0x706f6c65, 12)
        socket.write(Buffer.concat([header, payload]))
        number += 1
      }
      picture += 1
    }
    for (let sent = 0; sent < keptSeconds * this.#framesPerSecond; sent += 1) send()
    return setInterval(send, 1000 / this.#framesPerSecond)
  }
}

function sequenceOf(request: string): string {
  return /^CSeq: *(\d+)/im.exec(request)?.[1] ?? '0'
}

function refusal(request: string): string {
  return `RTSP/1.0 401 Unauthorized\r\nCSeq: ${sequenceOf(request)}\r\nWWW-Authenticate: Basic realm="street"\r\n\r\n`
}

/** A unit in one packet, or in fragments (FU-A). */
function packetsOf(unit: Buffer): Buffer[] {
  if (unit.length <= largestPacket) return [unit]
  const packets: Buffer[] = []
  const first = unit[0] ?? 0
  for (let at = 1; at < unit.length; at += largestPacket) {
    const piece = unit.subarray(at, at + largestPacket)
    const marks = (at === 1 ? 0x80 : 0) | (at + largestPacket >= unit.length ? 0x40 : 0)
    packets.push(Buffer.concat([Buffer.from([(first & 0xe0) | 28, marks | (first & 0x1f)]), piece]))
  }
  return packets
}
