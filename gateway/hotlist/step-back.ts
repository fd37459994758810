import { PolewatchError } from '../errors.js'
import { settleDeltas } from './delta-record.js'
import { currentGeneration, type Generation, generations, listFolder, lockFolder, makeCurrent } from './generations.js'

/**
 * Makes the generation before the current one current again, for a list that turned out wrong. The next import still gets a
 * number of its own, and a change that made the list left behind is not taken again. `now` is seconds since 1970 UTC.
 * Throws PW_HOTLIST_NAME, PW_HOTLIST_ABSENT, PW_HOTLIST_NO_PREVIOUS or PW_HOTLIST_BUSY.
 */
export function stepBack(directory: string, listName: string, now: number): Generation {
  const folder = listFolder(directory, listName)
  if (currentGeneration(folder) === null) throw new PolewatchError('PW_HOTLIST_ABSENT', { list: listName })
  const unlock = lockFolder(folder, listName)
  try {
    const current = currentGeneration(folder)
    if (current === null) throw new PolewatchError('PW_HOTLIST_ABSENT', { list: listName })
    const previous = generations(folder).findLast(generation => generation.number < current.number)
    if (previous === undefined) throw new PolewatchError('PW_HOTLIST_NO_PREVIOUS', { list: listName })
    settleDeltas(folder, now)
    makeCurrent(folder, previous)
    return previous
  } finally {
    unlock()
  }
}
