import { open, readFile, rename } from 'node:fs/promises'
import { PolewatchError } from '../errors.js'
import { type HubState, readHubState } from './receiver.js'

/** The state kept there; undefined where there is no file yet. @throws PW_HUB_STATE_UNREADABLE */
export async function loadHubState(path: string): Promise<HubState | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw unreadable(path, error)
  }
  try {
    return readHubState(text)
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** Replaces the file whole, synced, so that a crash leaves the old or the new one. Rejects with what the file system says. */
export async function saveHubState(path: string, text: string): Promise<void> {
  const draft = `${path}.new`
  const file = await open(draft, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(draft, path)
}

function unreadable(file: string, error: unknown): PolewatchError {
  const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)
  return new PolewatchError('PW_HUB_STATE_UNREADABLE', { file, why }, error)
}
