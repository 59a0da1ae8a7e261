// Proves that every record of a transaction has been read, when counts cannot tell. First, the connector has committed
// its own source offset at or beyond the transaction, so Kafka has acknowledged all its records. Second, every data
// partition has been read up to its end offset after that commit.
// Example: transaction 815 commits at 800. Connect answers 790: no proof. Connect answers 812, then Kafka names the end
// offsets `a/0` 40 and `b/0` 7: as soon as both are read up to there, all rows of 815 have been read.
// Pure: the driver of the flow asks Connect and Kafka. The proof costs at most the worker's offset.flush.interval.ms.
import type { EndOffsets } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

/** The answers of Connect and Kafka after the connector had committed a transaction. */
export type Committed = {
  /** The connector had committed its source offset up to here: one answer serves every transaction up to here. */
  commitLsn: Lsn
  /** End offsets of the topics after that commit. Records beyond them belong to later transactions. */
  ends: EndOffsets
}

/** How far the topics have been read, by `topic/partition`. */
export type HowFarRead = {
  /** Next offset to read. */
  next: ReadonlyMap<string, bigint>
  /** Whether a record of a transaction after the head has been read from the partition. */
  isReadBeyondHead: (partition: string) => boolean
}

/**
 * `rows`: every row of the transaction has been read; `everything`: also every copy of every record, and every
 * BEGIN and END of it in the commit log.
 */
export type Proven = "nothing" | "rows" | "everything"

/**
 * How much has been read of the records that the topics held when the connector had committed the transaction. If a
 * record of a later transaction has been read from a partition, all rows of this transaction in it have been read, even
 * if the partition is far from its end, or paused.
 */
export function judgeReading({ ends }: Committed, { next, isReadBeyondHead }: HowFarRead): Proven {
  const isUnread = ([partition, end]: [string, bigint]): boolean => (next.get(partition) ?? 0n) < end
  const unread = [...ends.data].filter(isUnread)
  if (unread.length === 0 && ![...ends.commitLog].some(isUnread)) return "everything"
  return unread.every(([partition]) => isReadBeyondHead(partition)) ? "rows" : "nothing"
}
