// Part of step 3 (assemble): data records that could not be read. Such a record may be a row that a transaction's END
// has counted, or no row of our tables at all. A partition holds rows in the order of history, so the readable records
// before and after an unreadable record say to which transactions it may belong. Only there may it stand for a missing
// row of its table. Example: `t/0` holds a row of 815, an unreadable record and a row of 817; the unreadable record may
// stand for a missing row of 815, 816 or 817.
import type { Origin } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

export type UnreadableRecord = { origin: Origin; table: string }

type Placed = UnreadableRecord & {
  /** Predecessor of the transaction read before this record; null when that was applied before this session. */
  after: Lsn | null
  /** Predecessor of the transaction read after this record; null while no later record was read. */
  before: Lsn | null
  /** The record was parked before this session. */
  isParked: boolean
}

/** An unreadable record that no transaction can miss any more. */
export type Settled = {
  origin: Origin
  /** Its transaction was applied before this session and the record is only read again: it was readable then. */
  wasApplied: boolean
}

/** `startedAt` is the last END applied when this session began. */
export function createUnreadableRecords(startedAt: Lsn) {
  /** In the order they were read. */
  let open: Placed[] = []
  let settled: Settled[] = []

  return {
    /** A record that is known already (read again after a restart) is not taken twice. */
    add(record: UnreadableRecord, more: { after: Lsn | null; isParked: boolean }): void {
      if (open.some((known) => isSame(known.origin, record.origin))) return
      open.push({ ...record, ...more, before: null })
    },

    /** Says that a readable record of the transaction after `previous` was read in this partition. */
    noteNext({ topic, partition }: Origin, previous: Lsn): void {
      for (const record of open) {
        if (record.before !== null || record.origin.partition !== partition) continue
        if (record.origin.topic === topic) record.before = previous
      }
    },

    isEmpty: (): boolean => open.length === 0,

    /** Whether a record may be a row of the transaction that follows `previous` and lacks rows of these tables. */
    mayHold: (previous: Lsn, missing: ReadonlyMap<string, number>): boolean =>
      [...missing].some(([table, count]) => count > 0 && mayBelongTo(previous, table).length > 0),

    /**
     * Records that stand for exactly the missing rows of each table; otherwise no record. If more records are possible
     * than rows are missing, the records that the fewest later transactions may claim go first, so that every later
     * transaction finds its share. A redrive reads the records and tells which record was of which transaction.
     */
    standInsFor(previous: Lsn, missing: ReadonlyMap<string, number>): UnreadableRecord[] {
      const standIns: UnreadableRecord[] = []
      for (const [table, count] of missing) {
        const candidates = mayBelongTo(previous, table).sort(byLatest)
        if (count < 0 || candidates.length < count) return []
        standIns.push(...candidates.slice(0, count))
      }
      return standIns
    },

    /** These are rows of the transaction that is released now. */
    take(records: readonly UnreadableRecord[]): void {
      open = open.filter((record) => !records.some(({ origin }) => isSame(origin, record.origin)))
    },

    /** All transactions up to `lastEnd` are released: forgets the records that belong to these. */
    settle(lastEnd: Lsn): void {
      for (const { origin, before, isParked } of open) {
        if (before === null || before >= lastEnd) continue
        settled.push({ origin, wasApplied: !isParked && before < startedAt })
      }
      open = open.filter(({ before }) => before === null || before >= lastEnd)
    },

    /** The records forgotten since this was last asked: no transaction can miss them any more. */
    takeSettled(): Settled[] {
      const taken = settled
      settled = []
      return taken
    },
  }

  function mayBelongTo(previous: Lsn, table: string): Placed[] {
    return open.filter(
      (record) =>
        record.table === table &&
        (record.after === null || record.after <= previous) &&
        (record.before === null || record.before >= previous),
    )
  }
}

/** Sorts by the last transaction that may claim a record; where that is equal, records stay as they were read. */
function byLatest(a: Placed, b: Placed): number {
  if (a.before === b.before) return 0
  if (a.before === null) return 1
  return b.before === null || a.before < b.before ? -1 : 1
}

const isSame = (a: Origin, b: Origin): boolean =>
  a.offset === b.offset && a.partition === b.partition && a.topic === b.topic
