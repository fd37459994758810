import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** An ext4 file system on a block device of its own, which counts what is written to it. Needs root. */
export class LoopDisk {
  readonly folder: string
  readonly #image: string
  readonly #device: string

  readonly #options: string
  readonly #lazy: boolean

  /**
   * Makes one of `megabytes` in a scratch folder with blocks of `blockSize` bytes, mounted with `options`.
   * @throws Error where loop devices cannot be used
   */
  constructor(scratch: string, megabytes: number, blockSize: number, options: string) {
    this.#options = options
    this.#lazy = options.split(',').includes('lazytime')
    this.#image = join(scratch, 'disk.img')
    this.folder = join(scratch, 'disk')
    writeFileSync(this.#image, '')
    truncateSync(this.#image, megabytes * 2 ** 20)
    mkdirSync(this.folder)
    this.#device = run('losetup', '--find', '--show', this.#image)
    try {
      // All of it now: otherwise the kernel goes on laying the file system out in the background.
      run('mkfs.ext4', '-q', '-b', String(blockSize), '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.#device)
      run('mount', '-o', options, this.#device, this.folder)
    } catch (error) {
      run('losetup', '--detach', this.#device)
      throw error
    }
  }

  /** Writes out what the kernel holds back, as it does by itself within seconds; mounted with lazytime no times of files. */
  settle(): void {
    const files = readdirSync(this.folder, { withFileTypes: true }).filter(entry => entry.isFile())
    if (this.#lazy) run('sync', '--data', ...files.map(({ name }) => join(this.folder, name)))
    else run('sync', '--file-system', this.folder)
  }

  /** Bytes written to the device since it was made: field 7 of its `stat`, in sectors of 512 bytes. */
  written(): number {
    const fields = readFileSync(`/sys/block/${basename(this.#device)}/stat`, 'utf8')
      .trim()
      .split(/\s+/)
    return Number(fields[6]) * 512
  }

  /** As when a block cannot be read back: the kernel notes an error and does what `errors=` says, at once. */
  fail(): void {
    writeFileSync(`/sys/fs/ext4/${basename(this.#device)}/trigger_fs_error`, '1')
  }

  /** Unmounts it, checks it and mounts it again, as a restart does. Nothing may have a file open on it. */
  repair(): void {
    run('umount', this.folder)
    spawnSync('e2fsck', ['-f', '-y', this.#device])
    run('mount', '-o', this.#options, this.#device, this.folder)
  }

  remove(): void {
    run('umount', this.folder)
    run('losetup', '--detach', this.#device)
    rmSync(this.#image)
  }
}

function run(program: string, ...words: string[]): string {
  return execFileSync(program, words, { encoding: 'utf8' }).trim()
}
