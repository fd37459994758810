import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import epoll from 'epoll'
import { createSocket } from 'unix-dgram'
import { VideoFile } from '../../drivers/camera/video-file.js'
import { openSerialLine } from '../../drivers/plate-reader/serial-line.js'
import { systemClock } from '../../drivers/system-clock.js'
import { ServiceManager } from '../../gateway/health/service-manager.js'
import { verifyChain } from '../../gateway/journal/audit.js'
import { JournalReader } from '../../gateway/journal/reader.js'
import { TextModels } from '../../gateway/vision/models.js'
import { encodeJpeg, resize } from '../../gateway/vision/picture.js'
import { writeVideo } from '../contracts/camera-video.js'
import { draft, openJournal } from '../journal/drafts.js'

/*
 * Uses each native module once, as the gateway does, and says so in TAP: a module that was built for another processor, or
 * against another Node.js, fails. `scripts/test-arm64` runs it under emulation.
 */

const folder = mkdtempSync(join(tmpdir(), 'polewatch-native-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const uses: Readonly<Record<string, () => Promise<string>>> = {
  async 'better-sqlite3'() {
    const path = join(folder, 'sensing.journal.db')
    const journal = openJournal(path)
    for (let row = 0; row < 20; row += 1) await journal.append(draft('gunfire'))
    const reader = new JournalReader(path)
    const held = reader.read('/harbour/pole-17/sensing/gunfire', journal.epoch ?? '', 0, 1_000_000).length
    if (held !== 20 || !verifyChain(path).valid) throw new Error(`${held} of 20 alerts are held`)
    reader.close()
    journal.close()
    return '20 alerts kept, and their chain holds'
  },

  async 'unix-dgram'() {
    const path = join(folder, 'notify')
    const manager = createSocket('unix_dgram')
    const heard = new Promise<string>(resolve => manager.on('message', (bytes: Buffer) => resolve(bytes.toString())))
    manager.bind(path)
    const service = new ServiceManager({ NOTIFY_SOCKET: path })
    service.ready()
    if ((await heard) !== 'READY=1') throw new Error('systemd would not have heard it')
    service.close()
    manager.close()
    return 'systemd would have heard it'
  },

  async epoll() {
    const path = join(folder, 'line')
    execFileSync('mkfifo', [path])
    const line = openSync(path, constants.O_RDWR | constants.O_NONBLOCK)
    const bytes = Buffer.alloc(8)
    const waiting = { tell: (_: string): void => {} }
    const heard = new Promise<string>(resolve => {
      waiting.tell = resolve
    })
    const poll = new epoll.Epoll((error, file) => {
      waiting.tell(error?.message ?? bytes.toString('utf8', 0, readSync(file, bytes)))
    })
    poll.add(line, epoll.Epoll.EPOLLIN)
    writeSync(line, 'edge')
    const said = await heard
    poll.remove(line).close()
    closeSync(line)
    if (said !== 'edge') throw new Error(`it said ${said}`)
    return 'what came over a line was waited for'
  },

  async serialport() {
    const path = process.env.POLEWATCH_TERMINAL ?? ''
    const heard: Buffer[] = []
    const line = await openSerialLine(
      path,
      { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1, flowControl: 'none' },
      { bytes: chunk => heard.push(Buffer.from(chunk)), lost: () => {} },
    )
    line.write(Buffer.from('ABC1234\n'))
    for (let turn = 0; turn < 500 && !Buffer.concat(heard).includes('ABC1234'); turn += 1) {
      await systemClock.sleep(0.02, new AbortController().signal)
    }
    await line.close()
    if (!Buffer.concat(heard).includes('ABC1234')) throw new Error('nothing came back over the line')
    return 'a plate went over a line and came back'
  },

  async 'node-av'() {
    const file = join(folder, 'street.mkv')
    const pictures = Array.from({ length: 10 }, (_, index) => new Uint8Array(3 * 160 * 90).fill(20 * index))
    await writeVideo(file, { width: 160, height: 90, framesPerSecond: 10 }, pictures)
    let frames = 0
    const video = new VideoFile({ name: 'c', file, pace: 'fast', clock: systemClock })
    for await (const item of video.readings(new AbortController().signal)) if (item.kind === 'frame') frames += 1
    if (frames !== 10) throw new Error(`${frames} of 10 pictures came back`)
    return '10 pictures made a video and came back from it'
  },

  async sharp() {
    const picture = { width: 64, height: 48, data: new Uint8Array(3 * 64 * 48).fill(99) }
    const small = await resize(picture, { width: 32, height: 24 })
    const bytes = (await encodeJpeg(small)).length
    if (small.data.length !== 3 * 32 * 24 || bytes === 0) throw new Error('the picture is not what it should be')
    return `a picture was halved and became ${bytes} bytes of JPEG`
  },

  async 'onnxruntime-node'() {
    const models = await TextModels.load()
    const map = await models.textMap({ width: 64, height: 64, data: new Uint8Array(3 * 64 * 64).fill(128) })
    const most = Math.max(...map)
    if (map.length !== 64 * 64 || !(most < 0.5)) throw new Error(`text where there is none (${most})`)
    return 'the plate reader sees no text where there is none'
  },
}

let failures = 0
const entries = Object.entries(uses)
process.stdout.write(`# Node.js ${process.version} on ${process.arch}\n`)
for (const [index, [name, use]] of entries.entries()) {
  try {
    process.stdout.write(`ok ${index + 1} - ${name}: ${await use()}\n`)
  } catch (error) {
    failures += 1
    process.stdout.write(`not ok ${index + 1} - ${name}: ${error instanceof Error ? error.message : error}\n`)
  }
}
process.stdout.write(`1..${entries.length}\n`)
process.exit(failures === 0 ? 0 : 1)
