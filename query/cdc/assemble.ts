// Step 3 of the flow: puts row changes from many partitions back into the source's transactions and releases
// them in commit order, each one whole. Pure: no I/O, no clock.
//
// The commit log is a chain. Every data record names the commit LSN of the transaction before its own, so
// pending records are grouped by that predecessor, and the group that names `lastEnd` is the head. Its END
// counts its rows:
// - undisturbed (one BEGIN, one connector run): it is complete when the distinct identities equal the count;
// - disturbed (a crash inside it; counts and numbering mean nothing then): it is complete once it is proven that
//   the connector has committed its own offset beyond it and everything in the topics up to then has been read;
// - without rows to read (signals, tables of others): it names no predecessor, so only the same proof shows that
//   no transaction before it is missing.
// A partition need not be read to its end for that: a row of a later transaction shows that all rows of the head
// in it have been read. A copy of one may still follow, sent again after a crash, and it may have been counted.
// A record that cannot be read accounts for a missing row where it belongs, once nothing else can still come.
// Waiting is not loss: an END often comes before its last rows. Loss is a chain that does not fit, or an
// undisturbed head whose count still differs when everything, copies included, has been read.
import { blockedTransaction } from "./blocked.ts"
import {
  type CommitLogEntry,
  type DataRecord,
  type Origin,
  partitionKey,
  type Transaction,
} from "./change.ts"
import { formatLsn, type Lsn } from "./lsn.ts"
import { brokenChain, countMismatch } from "./missing-history.ts"
import { createPendingRows, type Group } from "./pending.ts"
import { createUnreadableRecords, type UnreadableRecord } from "./unreadable.ts"

export type End = Extract<CommitLogEntry, { status: "END" }>

export type Head = {
  xid: string
  commitLsn: Lsn
  expected: number
  received: number
  /** A crash of the connector lies inside it: its count says nothing. */
  disturbed: boolean
  /** Its count tells whether it is whole: no crash lies inside it, and it has rows to read. */
  isCounted: boolean
  /** What is here cannot tell whether it is whole: ask for the proof at once. */
  needsProof: boolean
}

export type Next =
  /** `unreadable`: records that stand for the rows that it lacks. */
  | { state: "released"; transaction: Transaction; head: Head; unreadable: readonly UnreadableRecord[] }
  /** Nothing is pending: the read side is at the end of the log. */
  | { state: "idle" }
  /** Rows are here, their END is not. */
  | { state: "waiting-for-end"; rows: number }
  /** The END is here; rows are missing, or only a proof can tell whether any are. */
  | { state: "waiting-for-rows"; head: Head }

export type AssemblerStart = {
  /** Commit LSN of the last END applied. */
  lastEnd: Lsn
  /** Transactions committed up to here are in the base already: their ENDs are passed over. */
  baseLsn: Lsn
  /** Source tables that are read, as the commit log names them (schema and name). */
  tables: ReadonlySet<string>
}

export type Assembler = ReturnType<typeof createAssembler>

export function createAssembler(start: AssemblerStart) {
  let lastEnd = start.lastEnd
  let rowsProvenUpTo: Lsn | null = null
  let allReadUpTo: Lsn | null = null
  const pending = createPendingRows()
  /** ENDs in the order of the log, from index `firstEnd` on; a re-sent one may be among them. */
  let ends: End[] = []
  let firstEnd = 0
  const beginCounts = new Map<string, number>()
  /** The latest predecessor that a record of each partition has named. */
  const reachedBy = new Map<string, Lsn>()
  const unreadable = createUnreadableRecords()

  return {
    /** Takes a record of a data topic. A copy of a row already applied or already pending changes nothing. */
    addRecord(record: DataRecord): void {
      const previous = record.previousCommitLsn
      const partition = partitionKey(record.origin.topic, record.origin.partition)
      if (previous !== null && !unreadable.isEmpty()) unreadable.noteNext(partition, previous)
      // Without a predecessor it is in the first transaction of a slot. The base was taken when that slot had
      // sent an END already, and the rows of a slot made after the base come after the base.
      if (previous === null ? record.lsn <= start.baseLsn : previous < lastEnd) return
      pending.add(record)
      if (previous !== null) noteReached(partition, previous)
    },

    /** Takes the place of a record of a data topic that cannot be read. */
    addUnreadable(record: UnreadableRecord): void {
      const { topic, partition } = record.origin
      unreadable.add(record, reachedBy.get(partitionKey(topic, partition)) ?? null)
    },

    /** Unreadable records that no transaction can miss any more, since this was last asked. */
    takeSettled: (): Origin[] => unreadable.takeSettled(),

    /** Takes a record of the commit log, in the order of its offsets. */
    addEntry(entry: CommitLogEntry): void {
      if (entry.status === "BEGIN") beginCounts.set(entry.xid, (beginCounts.get(entry.xid) ?? 0) + 1)
      else if (entry.commitLsn > lastEnd) ends.push(entry)
      // Re-sent: everything of this transaction is applied, whatever this END counts.
      else beginCounts.delete(entry.xid)
    },

    /** Says that every row of transactions committed up to `commitLsn` has been read. */
    proveRows(commitLsn: Lsn): void {
      if (!reaches(rowsProvenUpTo, commitLsn)) rowsProvenUpTo = commitLsn
    },

    /** Says that every record of transactions committed up to `commitLsn` has been read, copies included. */
    prove(commitLsn: Lsn): void {
      if (!reaches(allReadUpTo, commitLsn)) allReadUpTo = commitLsn
      if (!reaches(rowsProvenUpTo, commitLsn)) rowsProvenUpTo = commitLsn
    },

    /**
     * Releases the next transaction in commit order, or tells what is awaited.
     * @throws EngineError (halt) when history is proven to be missing, or when the next transaction cannot be applied;
     * asked again, it throws again.
     */
    next(): Next {
      passOverBase()
      const end = nextEnd()
      const group = pending.follow(lastEnd)
      if (!end) {
        return pending.isEmpty()
          ? { state: "idle" }
          : { state: "waiting-for-end", rows: group?.records.size ?? 0 }
      }
      assertChain(end, group)
      const head = describeHead(end, group)
      const standIns = reaches(rowsProvenUpTo, end.commitLsn) ? standInsFor(head, end, group) : []
      const received = head.received + standIns.length
      const complete = head.isCounted ? received === head.expected : reaches(rowsProvenUpTo, end.commitLsn)
      if (reaches(allReadUpTo, end.commitLsn)) {
        const isExplained = isCountedAgain(head) || (head.disturbed && mayHoldUnreadable(end, group))
        if (isLoss({ ...head, received }) && !isExplained) throw countMismatch(head, lastEnd)
      } else if (!complete) return { state: "waiting-for-rows", head }
      if (group?.blockedBy) throw blockedTransaction(group.blockedBy, end)
      unreadable.take(standIns)
      release(end)
      return { state: "released", transaction: toTransaction(end, group), head, unreadable: standIns }
    },

    /** Where each partition must be read from after a restart; `next` gives the offset to read next. */
    resumeOffsets(next: ReadonlyMap<string, bigint>): Map<string, bigint> {
      const resume = new Map(next)
      for (const group of pending.all()) {
        for (const [partition, offset] of group.lowestOffsets) {
          const current = resume.get(partition)
          if (current === undefined || offset < current) resume.set(partition, offset)
        }
      }
      return resume
    },

    /** Whether all rows of the head in a partition have been read, because a later transaction's was. */
    isReadBeyondHead(partition: string): boolean {
      const reached = reachedBy.get(partition)
      return reached !== undefined && reached > lastEnd
    },

    /** Whether a record belongs to a transaction after the head: only then may its partition be paused. */
    isBeyondHead: (record: DataRecord): boolean =>
      record.previousCommitLsn !== null && record.previousCommitLsn > lastEnd,

    /** Bytes of the records held in memory. */
    pendingBytes: pending.bytes,
    lastEnd: (): Lsn => lastEnd,
  }

  function noteReached(partition: string, previous: Lsn): void {
    const reached = reachedBy.get(partition)
    if (reached === undefined || reached < previous) reachedBy.set(partition, previous)
  }

  function passOverBase(): void {
    for (let end = nextEnd(); end && end.commitLsn <= start.baseLsn; end = nextEnd()) release(end)
  }

  /** The END of the head; a re-sent one of a transaction applied meanwhile is left out. */
  function nextEnd(): End | undefined {
    let end = ends[firstEnd]
    while (end && end.commitLsn <= lastEnd) end = ends[++firstEnd]
    if (firstEnd > 1_000 && firstEnd * 2 > ends.length) {
      ends = ends.slice(firstEnd)
      firstEnd = 0
    }
    return end
  }

  /** The head's records must name `lastEnd`, and no other transaction may come before the head. */
  function assertChain(end: End, group: Group | undefined): void {
    for (const xid of group?.xids ?? []) {
      if (xid === end.xid) continue
      throw brokenChain(
        end,
        lastEnd,
        `transaction ${xid} follows ${formatLsn(lastEnd)}, but its END is missing`,
      )
    }
    for (const other of pending.ofXid(end.xid)) {
      if (other === group) continue
      const previous = other.previousCommitLsn
      const named = previous === null ? "none (a new replication slot)" : formatLsn(previous)
      throw brokenChain(end, lastEnd, `its records name ${named} as their predecessor`)
    }
    const between = pending.firstPredecessorAfter(lastEnd)
    if (between !== undefined && between < end.commitLsn) {
      throw brokenChain(end, lastEnd, `a transaction committed at ${formatLsn(between)} before it has no END`)
    }
  }

  function describeHead(end: End, group: Group | undefined): Head {
    const expected = countRows(end)
    const disturbed = beginCounts.get(end.xid) !== 1 || (group?.runIds.size ?? 0) > 1
    const isCounted = !disturbed && expected > 0
    return {
      xid: end.xid,
      commitLsn: end.commitLsn,
      expected,
      received: group?.records.size ?? 0,
      disturbed,
      isCounted,
      needsProof: !isCounted || mayHoldUnreadable(end, group),
    }
  }

  /** Rows are missing, and a record that may be one of them cannot be read: only a proof tells that none is on its way. */
  function mayHoldUnreadable(end: End, group: Group | undefined): boolean {
    if (unreadable.isEmpty()) return false
    return [...missingByTable(end, group)].some(
      ([table, missing]) => missing > 0 && unreadable.mayBelongTo(lastEnd, table).length > 0,
    )
  }

  /** Unreadable records for exactly the rows that are missing of each table, or none at all. */
  function standInsFor(head: Head, end: End, group: Group | undefined): UnreadableRecord[] {
    if (unreadable.isEmpty() || head.disturbed || head.received >= head.expected) return []
    const standIns: UnreadableRecord[] = []
    for (const [table, missing] of missingByTable(end, group)) {
      const candidates = unreadable.mayBelongTo(lastEnd, table)
      if (missing < 0 || candidates.length < missing) return []
      standIns.push(...candidates.slice(0, missing))
    }
    return standIns
  }

  function missingByTable(end: End, group: Group | undefined): Map<string, number> {
    const missing = new Map<string, number>()
    for (const [name, count] of end.counts) {
      if (start.tables.has(name)) missing.set(name.slice(name.indexOf(".") + 1), count)
    }
    for (const { change } of group?.records.values() ?? []) {
      missing.set(change.table, (missing.get(change.table) ?? 0) - 1)
    }
    return missing
  }

  /**
   * A crash may leave an END that counted a row twice although the row's second copy was lost with it. The run that
   * went on after it ends the transaction again, and counts right or shows that it was disturbed.
   */
  function isCountedAgain({ commitLsn, received, disturbed }: Head): boolean {
    if (disturbed || received === 0) return false
    return ends.slice(firstEnd).some((end) => end.commitLsn === commitLsn && countRows(end) === received)
  }

  function countRows(end: End): number {
    let rows = 0
    for (const [table, count] of end.counts) if (start.tables.has(table)) rows += count
    return rows
  }

  /** Makes `end` the last one applied and forgets all that it settles. */
  function release(end: End): void {
    lastEnd = end.commitLsn
    beginCounts.delete(end.xid)
    pending.dropBefore(lastEnd)
    unreadable.settle(lastEnd)
  }
}

const reaches = (position: Lsn | null, commitLsn: Lsn): boolean => position !== null && position >= commitLsn

/** Once all is read: a crash makes counts wrong, but rows that were counted cannot all be absent. */
const isLoss = ({ received, expected, disturbed }: Head): boolean =>
  received !== expected && (!disturbed || received === 0)

function toTransaction(end: End, group: Group | undefined): Transaction {
  const records = group ? [...group.records.values()].sort(byOrderOfChange) : []
  return { xid: end.xid, commitLsn: end.commitLsn, endOffset: end.offset, records }
}

/**
 * By LSN. The two halves of a primary key change share one: the new key's row comes first, so that it can still
 * take a value that was not sent from the old key's row.
 */
function byOrderOfChange(a: DataRecord, b: DataRecord): number {
  if (a.lsn !== b.lsn) return a.lsn < b.lsn ? -1 : 1
  if (a.change.op === b.change.op) return 0
  return a.change.op === "upsert" ? -1 : 1
}
