import { auditSchema } from './audit.js'
import type { Format } from './storage.js'

/** Most important first; the rank in the file is the index here. */
export const priorities = ['gunfire', 'hit', 'fault', 'rest'] as const
export type Priority = (typeof priorities)[number]

/** Where an alert stands: its stream, the journal file's epoch, and a number that is contiguous within both, from 1. */
export interface Position {
  readonly source: string
  /** 16 hexadecimal digits. */
  readonly epoch: string
  readonly sequence: number
}

/** Largest encoded alert, bytes. */
export const alertLimit = 1024 * 1024
/** What a row counts against the byte limit on top of its encoded bytes. */
export const rowOverhead = 256
export const streamLimit = 2047
/** The key of an alert is `stream * positionsPerStream + sequence`, exact in a double. */
export const positionsPerStream = 2 ** 42

export const journalFormat: Format = {
  applicationId: 0x504c574a,
  version: 1,
  pageSize: 512,
  schema: `
    CREATE TABLE journal (
      one        INTEGER PRIMARY KEY CHECK (one = 1),
      role       TEXT NOT NULL,
      epoch      TEXT NOT NULL CHECK (length(epoch) = 16),
      begun      REAL NOT NULL,
      last_purge REAL
    ) STRICT;
    CREATE TABLE stream (
      number   INTEGER PRIMARY KEY,
      source   TEXT NOT NULL UNIQUE,
      priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
      floor    INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE alert (
      position    INTEGER PRIMARY KEY,
      id          TEXT NOT NULL,
      topic       TEXT NOT NULL,
      kind        TEXT NOT NULL,
      exercise    INTEGER NOT NULL CHECK (exercise IN (0, 1)),
      appended_at REAL NOT NULL,
      audit       INTEGER NOT NULL,
      bytes       BLOB NOT NULL
    ) STRICT;
    CREATE TABLE shed (
      number INTEGER PRIMARY KEY,
      stream INTEGER NOT NULL,
      first  INTEGER NOT NULL,
      last   INTEGER NOT NULL CHECK (last >= first),
      since  REAL NOT NULL,
      until  REAL NOT NULL,
      report INTEGER
    ) STRICT;
    ${auditSchema}
  `,
}
