// Part of step 3 (assemble): the entries of the commit log about transactions that are not released yet, in its order.
import type { CommitLogEntry } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

export type End = Extract<CommitLogEntry, { status: "END" }>

/** `tables` are the source tables that are read, as the commit log names them (schema and name). */
export function createPendingEnds(tables: ReadonlySet<string>) {
  /** Pending from index `first` on; a re-sent END may be among them. */
  let ends: End[] = []
  let first = 0
  const beginCounts = new Map<string, number>()

  return {
    /** Takes an entry; all transactions up to `lastEnd` are released. */
    add(entry: CommitLogEntry, lastEnd: Lsn): void {
      if (entry.status === "BEGIN") beginCounts.set(entry.xid, (beginCounts.get(entry.xid) ?? 0) + 1)
      else if (entry.commitLsn > lastEnd) ends.push(entry)
      // A re-sent END: its transaction is applied, whatever this END counts.
      else beginCounts.delete(entry.xid)
    },

    /** The first END after `lastEnd`; a re-sent END of a transaction released meanwhile is left out. */
    after(lastEnd: Lsn): End | undefined {
      let end = ends[first]
      while (end && end.commitLsn <= lastEnd) end = ends[++first]
      if (first > 1_000 && first * 2 > ends.length) {
        ends = ends.slice(first)
        first = 0
      }
      return end
    },

    /** How many ENDs are pending, re-sent ENDs included. */
    count: (): number => ends.length - first,

    /** How often the transaction has begun: more than once if a crash of the connector lies inside it. */
    beginsOf: (xid: string): number => beginCounts.get(xid) ?? 0,

    /** Forgets the BEGINs of a transaction that is released. */
    settle(xid: string): void {
      beginCounts.delete(xid)
    },

    /** Row changes of the tables that are read, as the END counts them. */
    countRows,

    /** The same count by table; a table is named without its schema. */
    countByTable({ counts }: End): Map<string, number> {
      const byTable = new Map<string, number>()
      for (const [name, count] of counts) {
        if (tables.has(name)) byTable.set(name.slice(name.indexOf(".") + 1), count)
      }
      return byTable
    },

    /** Whether an END of this transaction (the first or a re-sent END) counts exactly so many row changes. */
    isCountedBy: (commitLsn: Lsn, rows: number): boolean =>
      ends.slice(first).some((end) => end.commitLsn === commitLsn && countRows(end) === rows),
  }

  function countRows({ counts }: End): number {
    let rows = 0
    for (const [table, count] of counts) if (tables.has(table)) rows += count
    return rows
  }
}
