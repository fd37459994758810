import assert from 'node:assert/strict'
import type { Hotlist } from '../../gateway/hotlist/hotlist.js'

/* Lists that hold the same plates, each list under a purpose of its own, so that a mixture of two or a gap shows. */

export const now = Date.UTC(2026, 2, 1, 12) / 1000
export const entries = 3000
export const plateOf = (index: number) => `KEY${String(index).padStart(4, '0')}`

/** The list of a purpose, in the plain format. */
export const csv = (purpose: string) =>
  `plate,state,purpose,expires,id\n${Array.from({ length: entries }, (_, index) => `${plateOf(index)},PA,${purpose},2026-12-31,E-${index}\n`).join('')}`

/**
 * Looks up every `step`-th plate: every answer comes from one whole list, with one entry a plate and the same purpose everywhere.
 * Returns that purpose, or those of the generations that came and went meanwhile. Throws AssertionError.
 */
export function checkWhole(hotlist: Hotlist, step: number): string {
  const purposes = new Map<number, Set<string>>()
  for (let index = 0; index < entries; index += step) {
    const answer = hotlist.find(plateOf(index), now)
    const exact = answer.candidates.filter(entry => entry.text === plateOf(index))
    assert.equal(exact.length, 1, 'exactly one entry for each plate')
    assert.equal(answer.entries, entries)
    const seen = purposes.get(answer.generation) ?? new Set()
    purposes.set(answer.generation, seen.add(exact[0]?.purpose ?? ''))
  }
  for (const seen of purposes.values()) assert.equal(seen.size, 1, 'one list a generation')
  return [...purposes.values()].map(seen => [...seen].join()).join()
}
