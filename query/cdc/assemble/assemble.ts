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
// Longer than 250 lines because the rules of one decision stand together.
import {
  type CommitLogEntry,
  type DataRecord,
  type EndedTransaction,
  partitionKey,
  type Transaction,
} from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import { type Head, isLoss, type Next, type StagedHead } from "./head.ts"
import { assertChain, blockedTransaction, countMismatch } from "./missing-history.ts"
import { countByTable, countReceived, createPendingRows, type Group, sortAsMade } from "./pending.ts"
import { createPendingEnds, type End } from "./pending-ends.ts"
import { createUnreadableRecords, type Settled, type UnreadableRecord } from "./unreadable.ts"

export type AssemblerStart = {
  /** Commit LSN of the last END applied. */
  lastEnd: Lsn
  /** Transactions committed up to here are in the base already: their ENDs are passed over. */
  baseLsn: Lsn
  /** Source tables that are read, as the commit log names them (schema and name). */
  tables: ReadonlySet<string>
  /** A head whose records take more memory than this is staged. */
  stageBeyondBytes?: number
}

export type Assembler = ReturnType<typeof createAssembler>

export function createAssembler(start: AssemblerStart) {
  let lastEnd = start.lastEnd
  let rowsProvenUpTo: Lsn | null = null
  let allReadUpTo: Lsn | null = null
  const pending = createPendingRows()
  const ends = createPendingEnds(start.tables)
  const stageBeyondBytes = start.stageBeyondBytes ?? Number.POSITIVE_INFINITY
  /** The group whose records are on their way to the staged table. */
  let staging: Group | null = null
  const unreadable = createUnreadableRecords(start.lastEnd)

  return {
    /** Takes a record of a data topic. A copy of a row already applied or already pending changes nothing. */
    addRecord(record: DataRecord): void {
      const previous = record.previousCommitLsn
      if (previous !== null && !unreadable.isEmpty()) unreadable.noteNext(record.origin, previous)
      // Without a predecessor it is in the first transaction of a slot. The base was taken when that slot had
      // sent an END already, and the rows of a slot made after the base come after the base.
      if (previous === null ? record.lsn <= start.baseLsn : previous < lastEnd) return
      pending.add(record)
    },

    /** Takes the place of a record of a data topic that cannot be read; `isParked` says that it was known before. */
    addUnreadable(record: UnreadableRecord, isParked = false): void {
      const { topic, partition } = record.origin
      unreadable.add(record, { after: pending.reachedIn(partitionKey(topic, partition)), isParked })
    },

    /** Unreadable records that no transaction can miss any more, since this was last asked. */
    takeSettled: (): Settled[] => unreadable.takeSettled(),

    /** Takes a record of the commit log, in the order of its offsets. */
    addEntry: (entry: CommitLogEntry): void => ends.add(entry, lastEnd),

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
      if (staging) return { state: "needs-staging" }
      passOverBase()
      const group = pending.follow(lastEnd)
      // Once some of it is staged all of it is; a head that is whole in memory is better released from there.
      if (group?.isStaged && group.records.size > 0) return { state: "needs-staging" }
      const next = judge(ends.after(lastEnd), group)
      const isWaiting = next.state === "waiting-for-end" || next.state === "waiting-for-rows"
      return isWaiting && group && group.bytes > stageBeyondBytes ? { state: "needs-staging" } : next
    },

    /** Hands over records of the head to be staged; nothing is released until `noteStaged` says that they are. */
    takeForStaging(atMost: number): { records: DataRecord[]; isFirst: boolean } {
      const group = pending.follow(lastEnd)
      if (!group) return { records: [], isFirst: false }
      staging = group
      return { isFirst: !group.isStaged, records: pending.takeForStaging(group, atMost) }
    },

    /** Says that what was taken is stored, and how many row changes of it had not been, by table. */
    noteStaged(rows: ReadonlyMap<string, number>): void {
      for (const [table, count] of rows) {
        staging?.stagedByTable.set(table, (staging.stagedByTable.get(table) ?? 0) + count)
      }
      staging = null
    },

    /** The head, while it is being read and too large for memory. */
    stagedHead(): StagedHead | null {
      const group = pending.follow(lastEnd)
      if (!group?.isStaged) return null
      const end = ends.after(lastEnd)
      const rows = countReceived(group) - group.records.size
      return { xid: [...group.xids].join(", "), rows, expected: end ? ends.countRows(end) : null }
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
      const reached = pending.reachedIn(partition)
      return reached !== null && reached > lastEnd
    },

    /** Whether a record belongs to a transaction after the head: only then may its partition be paused. */
    isBeyondHead: (record: DataRecord): boolean =>
      record.previousCommitLsn !== null && record.previousCommitLsn > lastEnd,

    /** Bytes of the records held in memory. */
    pendingBytes: pending.bytes,
    /** Bytes of those that belong to the head. */
    headBytes: (): number => pending.follow(lastEnd)?.bytes ?? 0,
    pendingEnds: ends.count,
    lastEnd: (): Lsn => lastEnd,
  }

  /** Releases the head if it is complete. */
  function judge(end: End | undefined, group: Group | undefined): Next {
    if (!end) {
      return pending.isEmpty() ? { state: "idle" } : { state: "waiting-for-end", rows: countReceived(group) }
    }
    assertChain(end, lastEnd, pending)
    const head = describeHead(end, group)
    const standIns = reaches(rowsProvenUpTo, end.commitLsn) ? standInsFor(head, end, group) : []
    const received = head.received + standIns.length
    const complete = head.isCounted ? received === head.expected : reaches(rowsProvenUpTo, end.commitLsn)
    if (reaches(allReadUpTo, end.commitLsn)) {
      const isExplained = isCountedAgain(head) || (head.disturbed && mayHoldUnreadable(end, group))
      if (isLoss({ ...head, received }) && !isExplained) throw countMismatch(head)
    } else if (!complete) return { state: "waiting-for-rows", head }
    if (group?.blockedBy) throw blockedTransaction(group.blockedBy, end)
    unreadable.take(standIns)
    release(end)
    return group?.isStaged
      ? {
          state: "released-staged",
          transaction: toEnded(end),
          rows: head.received,
          head,
          unreadable: standIns,
        }
      : { state: "released", transaction: toTransaction(end, group), head, unreadable: standIns }
  }

  function passOverBase(): void {
    for (let end = ends.after(lastEnd); end && end.commitLsn <= start.baseLsn; end = ends.after(lastEnd))
      release(end)
  }

  function describeHead(end: End, group: Group | undefined): Head {
    const expected = ends.countRows(end)
    const disturbed = ends.beginsOf(end.xid) !== 1 || (group?.runIds.size ?? 0) > 1
    const isCounted = !disturbed && expected > 0
    return {
      xid: end.xid,
      commitLsn: end.commitLsn,
      previousCommitLsn: lastEnd,
      expected,
      received: countReceived(group),
      disturbed,
      isCounted,
      needsProof: !isCounted || mayHoldUnreadable(end, group),
    }
  }

  /** Rows are missing, and a record that may be one of them cannot be read: only a proof tells that none is on its way. */
  function mayHoldUnreadable(end: End, group: Group | undefined): boolean {
    return !unreadable.isEmpty() && unreadable.mayHold(lastEnd, missingByTable(end, group))
  }

  function standInsFor(head: Head, end: End, group: Group | undefined): UnreadableRecord[] {
    if (unreadable.isEmpty() || head.disturbed || head.received >= head.expected) return []
    return unreadable.standInsFor(lastEnd, missingByTable(end, group))
  }

  function missingByTable(end: End, group: Group | undefined): Map<string, number> {
    const missing = ends.countByTable(end)
    for (const [table, count] of countByTable(group)) missing.set(table, (missing.get(table) ?? 0) - count)
    return missing
  }

  /**
   * A crash may leave an END that counted a row twice although the row's second copy was lost with it. The run that
   * went on after it ends the transaction again, and counts right or shows that it was disturbed.
   */
  function isCountedAgain({ commitLsn, received, disturbed }: Head): boolean {
    return !disturbed && received > 0 && ends.isCountedBy(commitLsn, received)
  }

  /** Makes `end` the last one applied and forgets all that it settles. */
  function release(end: End): void {
    lastEnd = end.commitLsn
    ends.settle(end.xid)
    pending.dropBefore(lastEnd)
    unreadable.settle(lastEnd)
  }
}

const reaches = (position: Lsn | null, commitLsn: Lsn): boolean => position !== null && position >= commitLsn

const toEnded = ({ xid, commitLsn, offset }: End): EndedTransaction => ({ xid, commitLsn, endOffset: offset })

const toTransaction = (end: End, group: Group | undefined): Transaction => ({
  ...toEnded(end),
  records: group ? sortAsMade([...group.records.values()]) : [],
})
