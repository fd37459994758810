import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Makes a qcow2 file: empty, or with what another disk holds until it is written to. @param options.size such as `256M` */
export async function createDisk(file: string, options: { backing: string } | { size: string }): Promise<void> {
  if ('backing' in options) {
    await execute('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', options.backing, file])
  } else {
    await execute('qemu-img', ['create', '-q', '-f', 'qcow2', file, options.size])
  }
}

/** Copies a file without its holes, shared with the original where the file system can do that. */
export async function copyFile(from: string, to: string): Promise<void> {
  await execute('cp', ['--reflink=auto', '--sparse=always', from, to])
}
