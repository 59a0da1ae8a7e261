// Part of step 3 (assemble): data records that could not be read. Each may be a row that a transaction's END has
// counted, or no row of ours at all. A partition holds rows in the order of history, so the readable records before
// and after it say between which transactions it belongs; only there may it account for a missing row of its table.
import type { Origin } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

export type UnreadableRecord = { origin: Origin; table: string }

type Placed = UnreadableRecord & {
  /** Predecessor of the transaction read before it; null when that was applied before this session. */
  after: Lsn | null
  /** Predecessor of the transaction read after it; null while nothing was. */
  before: Lsn | null
  /** It was parked before this session. */
  isParked: boolean
}

/** One that no transaction can miss any more. */
export type Settled = {
  origin: Origin
  /** Its transaction had been applied before this session, and it is only read again: it must have been readable. */
  wasApplied: boolean
}

/** `startedAt` is the last END applied when this session began. */
export function createUnreadableRecords(startedAt: Lsn) {
  /** In the order they were read. */
  let open: Placed[] = []
  let settled: Settled[] = []

  return {
    /** One that is known already (read again after a restart) is not taken twice. */
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

    /** Whether one may be a row of the transaction that follows `previous` and lacks rows of these tables. */
    mayHold: (previous: Lsn, missing: ReadonlyMap<string, number>): boolean =>
      [...missing].some(([table, count]) => count > 0 && mayBelongTo(previous, table).length > 0),

    /**
     * Those that stand for exactly the rows that it lacks, of each table, or none at all. Where more may, those go first
     * that the fewest later transactions can have: so each of them finds its own, whichever was whose. A redrive, which
     * can read them, tells.
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

    /** Everything up to `lastEnd` is released: forgets those that belong before, whatever they were. */
    settle(lastEnd: Lsn): void {
      for (const { origin, before, isParked } of open) {
        if (before === null || before >= lastEnd) continue
        settled.push({ origin, wasApplied: !isParked && before < startedAt })
      }
      open = open.filter(({ before }) => before === null || before >= lastEnd)
    },

    /** Those forgotten since this was last asked: no transaction can miss them any more. */
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

/** By the last transaction that it may be of; the order in which they were read stays, where that is the same. */
function byLatest(a: Placed, b: Placed): number {
  if (a.before === b.before) return 0
  if (a.before === null) return 1
  return b.before === null || a.before < b.before ? -1 : 1
}

const isSame = (a: Origin, b: Origin): boolean =>
  a.offset === b.offset && a.partition === b.partition && a.topic === b.topic
