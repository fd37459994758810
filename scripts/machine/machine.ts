import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'

/**
 * Who runs the machine's processors, and what its time is. Those that are `accelerated`, or `translated` by QEMU, which is about eight
 * times as slow, live in the time of this computer and are held up where it is busy. The one that is `counted` is translated as well, and
 * its time passes by its instructions alone: nothing that holds up this computer is seen in there, so that times of less than a
 * millisecond can be told. While it has something to do, one of its seconds takes about three of an idle computer.
 */
export type Running = 'accelerated' | 'translated' | 'counted'

const processors: Readonly<Record<Running, readonly string[]>> = {
  accelerated: ['-smp', '2', '-accel', 'kvm', '-cpu', 'host,-arch-capabilities'],
  translated: ['-smp', '2', '-accel', 'tcg,thread=multi', '-cpu', 'max'],
  // An instruction takes four nanoseconds. Time in which it has nothing to do is passed over.
  counted: ['-smp', '1', '-accel', 'tcg,thread=single', '-cpu', 'max', '-icount', 'shift=2,sleep=off'],
}

export interface MachineOptions {
  /** Folder with `vmlinuz` and `initrd.img`. */
  readonly image: string
  /** The machine's disk, a qcow2 file that it may write. */
  readonly disk: string
  /** Folder for sockets and the console's log. */
  readonly work: string
  readonly running: Running
  /** Name of a snapshot of the disk to go on from; a cold start unless given. */
  readonly snapshot?: string
  /** Folders of this computer that the machine may read, by the tags under which it mounts them (9p). */
  readonly shares: Readonly<Record<string, string>>
}

export interface Outcome {
  readonly status: number
  readonly output: string
}

const answerSchema = z.union([
  z.object({ ready: z.literal(true) }),
  z.object({ id: z.int(), output: z.string() }),
  z.object({ id: z.int(), status: z.int() }),
])
const monitorSchema = z.object({
  return: z.unknown().optional(),
  error: z.object({ desc: z.string() }).optional(),
  event: z.string().optional(),
})

interface Request {
  output: string
  readonly told: (chunk: string) => void
  readonly end: (outcome: Outcome) => void
}

/** A virtual machine that belongs to this process: it never outlives it, has no network, and obeys over two sockets. */
export class Machine {
  readonly #process: ChildProcess
  readonly #agent: Socket
  readonly #monitor: Socket
  /** Socket of the far end of the serial adapter. */
  readonly #adapter: string
  readonly #requests = new Map<number, Request>()
  readonly #monitorAnswers: ((answer: z.infer<typeof monitorSchema>) => void)[] = []
  #number = 0

  private constructor(child: ChildProcess, agent: Socket, monitor: Socket, adapter: string) {
    this.#process = child
    this.#adapter = adapter
    this.#agent = agent
    this.#monitor = monitor
    // Both break off when the machine ends, which its `close` tells of.
    for (const socket of [agent, monitor]) socket.on('error', () => {})
    const lines = (input: Socket) => createInterface({ input }).on('error', () => {})
    lines(monitor).on('line', line => {
      const answer = monitorSchema.parse(JSON.parse(line))
      if (answer.event === undefined && ('return' in answer || answer.error !== undefined)) {
        this.#monitorAnswers.shift()?.(answer)
      }
    })
    lines(agent).on('line', line => this.#hear(line))
    child.once('close', () => {
      for (const { end, output } of this.#requests.values()) end({ status: -1, output })
      this.#requests.clear()
      for (const tell of this.#monitorAnswers.splice(0)) tell({ error: { desc: 'the machine has ended' } })
    })
  }

  /** Starts QEMU; the machine may still be starting up. @throws Error when QEMU ends at once */
  static async start(options: MachineOptions): Promise<Machine> {
    const { image, disk, work, running, snapshot, shares } = options
    const sockets = { agent: join(work, 'agent'), monitor: join(work, 'monitor'), adapter: join(work, 'adapter') }
    for (const socket of Object.values(sockets)) rmSync(socket, { force: true })
    const child = spawn(
      'qemu-system-x86_64',
      [
        ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot', '-nic', 'none'],
        ...['-machine', 'pc', '-m', '1024'],
        ...processors[running],
        ...['-kernel', join(image, 'vmlinuz'), '-initrd', join(image, 'initrd.img')],
        ...['-append', 'root=/dev/vda rw console=ttyS0 quiet systemd.show_status=false mitigations=off'],
        ...['-drive', `file=${disk},if=virtio,format=qcow2`],
        ...['-serial', `file:${join(work, 'console.log')}`],
        ...['-qmp', `unix:${sockets.monitor},server=on,wait=off`],
        ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${sockets.agent},server=on,wait=off`],
        ...['-device', 'virtserialport,chardev=agent,name=polewatch'],
        ...['-device', 'qemu-xhci', '-chardev', `socket,id=far,path=${sockets.adapter},server=on,wait=off`],
        ...['-device', 'virtserialport,chardev=far,name=adapter'],
        ...Object.entries(shares).flatMap(([tag, folder]) => [
          ...['-fsdev', `local,id=${tag},path=${folder},security_model=none,readonly=on`],
          ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
        ]),
        ...(snapshot === undefined ? [] : ['-loadvm', snapshot]),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    let complaint = ''
    child.stderr.on('data', (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString()}`.slice(-2000)
    })
    child.once('error', error => {
      complaint += error.message
    })
    const kill = () => child.kill('SIGKILL')
    process.once('exit', kill)
    child.once('close', () => process.off('exit', kill))
    while (!existsSync(sockets.agent) || !existsSync(sockets.monitor)) {
      if (child.exitCode !== null || child.pid === undefined) throw new Error(`QEMU has ended: ${complaint}`)
      await pause(20)
    }
    const [agent, monitor] = [await connected(sockets.agent), await connected(sockets.monitor)]
    const machine = new Machine(child, agent, monitor, sockets.adapter)
    const greeting = await machine.monitor('qmp_capabilities', {}).catch(() => null)
    if (greeting === null) throw new Error(`QEMU has ended: ${complaint}`)
    return machine
  }

  /** Whether the machine answers within so many seconds. */
  async answers(seconds: number): Promise<boolean> {
    const giveUp = new AbortController()
    try {
      return await Promise.race([
        this.#untilItAnswers(giveUp.signal),
        pause(seconds * 1000, false, { signal: giveUp.signal }),
      ])
    } finally {
      giveUp.abort()
    }
  }

  async #untilItAnswers(signal: AbortSignal): Promise<boolean> {
    // What is asked before the agent listens may be lost, so it is asked again until something comes back.
    let answered = false
    while (!answered && !signal.aborted && this.#process.exitCode === null) {
      this.run('true').then(({ status }) => {
        answered ||= status === 0
      })
      for (let turn = 0; turn < 20 && !answered; turn += 1) await pause(50)
    }
    return answered
  }

  /** Runs a command of the shell in the machine; status -1 when the machine ended first. */
  run(command: string, told: (chunk: string) => void = () => {}): Promise<Outcome> {
    const id = ++this.#number
    return new Promise(resolve => {
      this.#requests.set(id, { output: '', told, end: resolve })
      this.#agent.write(`${JSON.stringify({ id, command })}\n`)
    })
  }

  /** As `run`. @throws Error with what the command said when it fails */
  async must(command: string): Promise<string> {
    const { status, output } = await this.run(command)
    if (status !== 0) throw new Error(`In the machine, ${command} failed (${status}): ${output}`)
    return output
  }

  /** A command of QEMU's machine protocol. @throws Error */
  async monitor(execute: string, arguments_: Readonly<Record<string, unknown>>): Promise<unknown> {
    const answer = await new Promise<z.infer<typeof monitorSchema>>(resolve => {
      this.#monitorAnswers.push(resolve)
      this.#monitor.write(`${JSON.stringify({ execute, arguments: arguments_ })}\n`)
    })
    if (answer.error !== undefined) throw new Error(`${execute}: ${answer.error.desc}`)
    return answer.return
  }

  /** A command of QEMU's monitor for people. @throws Error with what it answered, which is nothing when all is well */
  async human(command: string): Promise<void> {
    const said = await this.monitor('human-monitor-command', { 'command-line': command })
    if (typeof said === 'string' && said.trim() !== '') throw new Error(`${command}: ${said.trim()}`)
  }

  /** Plugs in a disk; it appears as `/dev/disk/by-id/virtio-NAME`. */
  async plugDisk(name: string, file: string): Promise<void> {
    await this.monitor('blockdev-add', {
      driver: 'qcow2',
      'node-name': name,
      file: { driver: 'file', filename: file },
    })
    await this.monitor('device_add', { driver: 'virtio-blk-pci', drive: name, id: name, serial: name })
    await this.must(
      `for turn in $(seq 200); do [ -e /dev/disk/by-id/virtio-${name} ] && exit 0; sleep 0.05; done; exit 1`,
    )
  }

  /**
   * Plugs a serial adapter into its USB bus. What the machine writes to its port `adapter` arrives on the adapter's line. A machine with
   * one cannot be kept as a snapshot.
   */
  async plugSerialAdapter(): Promise<void> {
    const addr = { type: 'unix', data: { path: this.#adapter } }
    await this.monitor('chardev-add', {
      id: 'adapter',
      backend: { type: 'socket', data: { addr, server: false } },
    })
    await this.monitor('device_add', { driver: 'usb-serial', chardev: 'adapter', id: 'adapter' })
  }

  /** Ends the machine as a power cut does: at once, nothing written out. */
  async cut(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const closed = once(this.#process, 'close')
    this.#process.kill('SIGKILL')
    await closed
    this.#agent.destroy()
    this.#monitor.destroy()
  }

  #hear(line: string): void {
    const answer = answerSchema.parse(JSON.parse(line))
    if ('ready' in answer) return
    const request = this.#requests.get(answer.id)
    if (request === undefined) return
    if ('output' in answer) {
      request.output += answer.output
      request.told(answer.output)
    } else {
      this.#requests.delete(answer.id)
      request.end({ status: answer.status, output: request.output })
    }
  }
}

async function connected(path: string): Promise<Socket> {
  const socket = connect(path)
  await once(socket, 'connect')
  return socket
}
