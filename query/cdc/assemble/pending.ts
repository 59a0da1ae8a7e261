// Part of step 3 (assemble): row changes whose transaction is not released yet, grouped by the commit LSN of the
// transaction before their own. Groups are kept in the order of history, so that nothing here grows with how far
// the topics have been read ahead of the commit log.
import { type DataRecord, type Origin, partitionKey } from "../vocabulary/change.ts"
import type { EngineError } from "../vocabulary/errors.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

/** Why a change cannot be applied, and the record that holds it. */
export type Blocked = { error: EngineError; origin: Origin }

export type Group = {
  previousCommitLsn: Lsn | null
  /** One record per row change, by identity, however often it was sent. */
  records: Map<string, DataRecord>
  xids: Set<string>
  runIds: Set<string>
  /** Lowest offset of any copy, by `topic/partition`: where a restart must read from. */
  lowestOffsets: Map<string, bigint>
  /** About what its records take in memory. */
  bytes: number
  /** What stops before this transaction; null when nothing does. */
  blockedBy: Blocked | null
  /** It is too large for memory: what was taken from here lies in the staged table. */
  isStaged: boolean
  /** Row changes there by table, each counted once. */
  stagedByTable: Map<string, number>
}

/** About what a decoded record takes: besides its values there are objects, positions and its identity. */
const memoryOf = (record: DataRecord): number => record.bytes + recordOverheadBytes
const recordOverheadBytes = 700

/** Row changes of the group that are here, in memory or staged. */
export function countReceived(group: Group | undefined): number {
  let rows = group?.records.size ?? 0
  for (const staged of group?.stagedByTable.values() ?? []) rows += staged
  return rows
}

/** The same by table. */
export function countByTable(group: Group | undefined): Map<string, number> {
  const byTable = new Map(group?.stagedByTable)
  for (const { change } of group?.records.values() ?? []) {
    byTable.set(change.table, (byTable.get(change.table) ?? 0) + 1)
  }
  return byTable
}

export type PendingRows = ReturnType<typeof createPendingRows>

export function createPendingRows() {
  const groups = new Map<Lsn | null, Group>()
  const groupsOfXid = new Map<string, Set<Group>>()
  /** Predecessors of the groups, ascending, from index `first` on. */
  let predecessors: Lsn[] = []
  let first = 0
  let bytes = 0
  const reachedBy = new Map<string, Lsn>()

  return {
    /** Adds a record to the group of its predecessor; a copy of one that is there only leaves its traces. */
    add(record: DataRecord): void {
      const group = groups.get(record.previousCommitLsn) ?? open(record.previousCommitLsn)
      if (!group.xids.has(record.xid)) {
        group.xids.add(record.xid)
        groupsOfXid.set(record.xid, (groupsOfXid.get(record.xid) ?? new Set()).add(group))
      }
      group.runIds.add(record.runId)
      const partition = partitionKey(record.origin.topic, record.origin.partition)
      const lowest = group.lowestOffsets.get(partition)
      if (lowest === undefined || record.origin.offset < lowest) {
        group.lowestOffsets.set(partition, record.origin.offset)
      }
      if (record.previousCommitLsn !== null) noteReached(partition, record.previousCommitLsn)
      if (group.records.has(record.identity)) return
      group.records.set(record.identity, record)
      if (record.change.op === "blocked") {
        group.blockedBy ??= { error: record.change.error, origin: record.origin }
      }
      group.bytes += memoryOf(record)
      bytes += memoryOf(record)
    },

    /** The latest predecessor that a record of the partition has named; null if none has. */
    reachedIn: (partition: string): Lsn | null => reachedBy.get(partition) ?? null,

    /** Hands over records of a group to be staged, at most so many; they are in memory no longer. */
    takeForStaging(group: Group, atMost: number): DataRecord[] {
      const taken: DataRecord[] = []
      for (const [identity, record] of group.records) {
        if (taken.length >= atMost) break
        taken.push(record)
        group.records.delete(identity)
        group.bytes -= memoryOf(record)
        bytes -= memoryOf(record)
      }
      group.isStaged = true
      return taken
    },

    follow: (previous: Lsn): Group | undefined => groups.get(previous),
    ofXid: (xid: string): ReadonlySet<Group> => groupsOfXid.get(xid) ?? new Set(),

    /** The earliest predecessor that comes after `lsn`. */
    firstPredecessorAfter(lsn: Lsn): Lsn | undefined {
      const at = predecessors[first]
      return at !== undefined && at <= lsn ? predecessors[first + 1] : at
    },

    /** Forgets every group whose predecessor comes before `lsn`. */
    dropBefore(lsn: Lsn): void {
      for (let at = predecessors[first]; at !== undefined && at < lsn; at = predecessors[first]) {
        close(at)
        first++
      }
      if (first > 1_000 && first * 2 > predecessors.length) {
        predecessors = predecessors.slice(first)
        first = 0
      }
    },

    all: (): Iterable<Group> => groups.values(),
    isEmpty: (): boolean => groups.size === 0,
    bytes: (): number => bytes,
  }

  function noteReached(partition: string, previous: Lsn): void {
    const reached = reachedBy.get(partition)
    if (reached === undefined || reached < previous) reachedBy.set(partition, previous)
  }

  function open(previousCommitLsn: Lsn | null): Group {
    const group: Group = {
      previousCommitLsn,
      records: new Map(),
      xids: new Set(),
      runIds: new Set(),
      lowestOffsets: new Map(),
      bytes: 0,
      blockedBy: null,
      isStaged: false,
      stagedByTable: new Map(),
    }
    groups.set(previousCommitLsn, group)
    if (previousCommitLsn !== null) predecessors.splice(indexOf(previousCommitLsn), 0, previousCommitLsn)
    return group
  }

  function indexOf(lsn: Lsn): number {
    let low = first
    let high = predecessors.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((predecessors[middle] ?? lsn) < lsn) low = middle + 1
      else high = middle
    }
    return low
  }

  function close(previous: Lsn): void {
    const group = groups.get(previous)
    if (!group) return
    groups.delete(previous)
    bytes -= group.bytes
    for (const xid of group.xids) {
      const others = groupsOfXid.get(xid)
      others?.delete(group)
      if (others?.size === 0) groupsOfXid.delete(xid)
    }
  }
}

/**
 * By LSN. The two halves of a primary key change share one: the new key's row comes first, so that it can still
 * take a value that was not sent from the old key's row.
 */
export const sortAsMade = (records: DataRecord[]): DataRecord[] =>
  records.sort((a, b) => {
    if (a.lsn !== b.lsn) return a.lsn < b.lsn ? -1 : 1
    if (a.change.op === b.change.op) return 0
    return a.change.op === "upsert" ? -1 : 1
  })
