// Step 3 of the flow: puts row changes from many partitions back into the source's transactions and releases
// them in commit order, each one whole. Pure: no I/O, no clock.
//
// The commit log is a chain. Every data record names the commit LSN of the transaction before its own, so
// pending records are grouped by that predecessor, and the group that names `lastEnd` is the head. Its END
// counts its rows:
// - undisturbed (one BEGIN, one connector run): it is complete when the distinct identities equal the count;
// - disturbed (a crash inside it; counts and numbering mean nothing then): it is complete once it is proven that
//   the connector has committed its own offset beyond it and everything in the topics up to then has been read.
// Waiting is not loss: an END often comes before its last rows. Loss is a chain that does not fit, or a proof
// that holds for an undisturbed head whose count still differs.
import type { CommitLogEntry, DataRecord, Transaction } from "./change.ts"
import { EngineError, rebuildNextStep } from "./errors.ts"
import { formatLsn, type Lsn } from "./lsn.ts"

type End = Extract<CommitLogEntry, { status: "END" }>
type Begin = Extract<CommitLogEntry, { status: "BEGIN" }>

type Group = {
  previousCommitLsn: Lsn | null
  records: Map<string, DataRecord>
  xids: Set<string>
  runIds: Set<string>
  /** Lowest offset of any copy, by `topic/partition`: where a restart must read from. */
  lowestOffsets: Map<string, bigint>
  bytes: number
}

export type Head = {
  xid: string
  commitLsn: Lsn
  expected: number
  received: number
  disturbed: boolean
}

export type Next =
  | { state: "released"; transaction: Transaction }
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
  /** Source tables that are read, as the commit log names them (`public.orders`). */
  tables: ReadonlySet<string>
}

export type Assembler = ReturnType<typeof createAssembler>

export const partitionKey = (topic: string, partition: number): string => `${topic}/${partition}`

export function createAssembler(start: AssemblerStart) {
  let lastEnd = start.lastEnd
  let pendingBytes = 0
  let provenUpTo: Lsn | null = null
  const groups = new Map<Lsn | null, Group>()
  let ends: End[] = []
  let begins: Begin[] = []

  return {
    /** Takes a record of a data topic. A copy of a row already applied or already pending changes nothing. */
    addRecord(record: DataRecord): void {
      const previous = record.previousCommitLsn
      if (previous !== null && previous < lastEnd) return
      let group = groups.get(previous)
      if (!group) {
        group = newGroup(previous)
        groups.set(previous, group)
      }
      group.xids.add(record.xid)
      group.runIds.add(record.runId)
      const partition = partitionKey(record.origin.topic, record.origin.partition)
      const lowest = group.lowestOffsets.get(partition)
      if (lowest === undefined || record.origin.offset < lowest) {
        group.lowestOffsets.set(partition, record.origin.offset)
      }
      if (group.records.has(record.identity)) return
      group.records.set(record.identity, record)
      group.bytes += record.bytes
      pendingBytes += record.bytes
    },

    /** Takes a record of the commit log, in the order of its offsets. */
    addEntry(entry: CommitLogEntry): void {
      if (entry.status === "BEGIN") {
        begins.push(entry)
        return
      }
      if (entry.commitLsn > lastEnd) {
        ends.push(entry)
        return
      }
      // Re-sent: everything of this transaction is applied, whatever this END counts.
      begins = begins.filter((begin) => begin.xid !== entry.xid)
      if (groups.get(null)?.xids.has(entry.xid)) dropGroup(null)
    },

    /** Says that every record of transactions committed up to `commitLsn` has been read. */
    prove(commitLsn: Lsn): void {
      if (provenUpTo === null || commitLsn > provenUpTo) provenUpTo = commitLsn
    },

    /**
     * Releases the next transaction in commit order, or tells what is awaited.
     * @throws EngineError (halt) when history is proven to be missing.
     */
    next(): Next {
      passOverBase()
      const end = ends[0]
      const group = groups.get(lastEnd)
      if (!end) {
        return groups.size > 0
          ? { state: "waiting-for-end", rows: group?.records.size ?? 0 }
          : { state: "idle" }
      }
      assertChain(end, group)
      const head = describeHead(end, group)
      const complete = head.disturbed ? isProven(end) : head.received === head.expected
      if (!complete) {
        if (!head.disturbed && isProven(end)) throw countMismatch(head, lastEnd)
        return { state: "waiting-for-rows", head }
      }
      release(end)
      return { state: "released", transaction: toTransaction(end, group) }
    },

    /** Where each partition must be read from after a restart; `next` gives the offset to read next. */
    resumeOffsets(next: ReadonlyMap<string, bigint>): Map<string, bigint> {
      const resume = new Map(next)
      for (const group of groups.values()) {
        for (const [partition, offset] of group.lowestOffsets) {
          const current = resume.get(partition)
          if (current === undefined || offset < current) resume.set(partition, offset)
        }
      }
      return resume
    },

    /** Whether a record belongs to a transaction after the head: only then may its partition be paused. */
    isBeyondHead: (record: DataRecord): boolean =>
      record.previousCommitLsn !== null && record.previousCommitLsn > lastEnd,

    /** Bytes of the records held in memory. */
    pendingBytes: (): number => pendingBytes,
    lastEnd: (): Lsn => lastEnd,
  }

  function passOverBase(): void {
    for (let end = ends[0]; end && end.commitLsn <= start.baseLsn; end = ends[0]) release(end)
  }

  /** The head's records must name `lastEnd`, and no other transaction may come before the head. */
  function assertChain(end: End, group: Group | undefined): void {
    const stranger = group && [...group.xids].find((xid) => xid !== end.xid)
    if (stranger) {
      throw brokenChain(end, `transaction ${stranger} follows ${formatLsn(lastEnd)}, but its END is missing`)
    }
    for (const other of groups.values()) {
      if (other === group) continue
      const previous = other.previousCommitLsn
      if (other.xids.has(end.xid)) {
        const named = previous === null ? "none (a new replication slot)" : formatLsn(previous)
        throw brokenChain(end, `its records name ${named} as their predecessor`)
      }
      if (previous !== null && previous > lastEnd && previous < end.commitLsn) {
        throw brokenChain(end, `a transaction committed at ${formatLsn(previous)} before it has no END`)
      }
    }
  }

  function brokenChain(end: End, what: string): EngineError {
    return new EngineError(
      "halt",
      "broken-chain",
      `The next transaction ${end.xid} (${formatLsn(end.commitLsn)}) does not follow ${formatLsn(lastEnd)}: ${what}.`,
      {
        nextStep: rebuildNextStep,
        detail: { xid: end.xid, commitLsn: formatLsn(end.commitLsn), lastEnd: formatLsn(lastEnd) },
      },
    )
  }

  function describeHead(end: End, group: Group | undefined): Head {
    let expected = 0
    for (const [table, count] of end.counts) if (start.tables.has(table)) expected += count
    const beginCount = begins.filter((begin) => begin.xid === end.xid).length
    return {
      xid: end.xid,
      commitLsn: end.commitLsn,
      expected,
      received: group?.records.size ?? 0,
      disturbed: beginCount !== 1 || (group?.runIds.size ?? 0) > 1,
    }
  }

  function isProven(end: End): boolean {
    return provenUpTo !== null && provenUpTo >= end.commitLsn
  }

  /** Makes `end` the last one applied and forgets all that it settles. */
  function release(end: End): void {
    lastEnd = end.commitLsn
    ends = ends.filter((other) => other.commitLsn > lastEnd)
    begins = begins.filter((begin) => begin.xid !== end.xid)
    for (const [previous, group] of groups) {
      if (previous === null ? group.xids.has(end.xid) : previous < lastEnd) dropGroup(previous)
    }
  }

  function dropGroup(previous: Lsn | null): void {
    pendingBytes -= groups.get(previous)?.bytes ?? 0
    groups.delete(previous)
  }
}

function newGroup(previousCommitLsn: Lsn | null): Group {
  return {
    previousCommitLsn,
    records: new Map(),
    xids: new Set(),
    runIds: new Set(),
    lowestOffsets: new Map(),
    bytes: 0,
  }
}

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

function countMismatch(head: Head, lastEnd: Lsn): EngineError {
  return new EngineError(
    "halt",
    "count-mismatch",
    `Transaction ${head.xid} (${formatLsn(head.commitLsn)}) has ${head.expected} row changes, but only ${head.received} are in the topics, although the connector has sent all of it.`,
    {
      nextStep: rebuildNextStep,
      detail: {
        xid: head.xid,
        commitLsn: formatLsn(head.commitLsn),
        expected: head.expected,
        received: head.received,
        lastEnd: formatLsn(lastEnd),
      },
    },
  )
}
