// The proof that every record of a transaction has been read, when counts cannot tell: the connector has committed its
// own source offset at or beyond the transaction (so Kafka has acknowledged all of it), and every data partition has
// been read up to where it ended after that. Pure: whoever drives the flow asks Connect and Kafka.
// Costs at most the worker's offset.flush.interval.ms.
import type { EndOffsets } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"

/** What was learned after the connector had committed a transaction. */
export type Committed = {
  /** Up to where the connector had committed its source offset: one answer serves every transaction up to here. */
  commitLsn: Lsn
  /** Where the topics ended after that. What comes later belongs to later transactions. */
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
 * `rows`: every row of the transaction has been read; `everything`: every copy of every record, too, and every
 * marker of it in the commit log.
 */
export type Proven = "nothing" | "rows" | "everything"

/**
 * How much has been read of what the topics held when the connector had committed the transaction. A partition in
 * which a later transaction has been read needs no more for the rows of this one: it may be far from its end, or
 * paused.
 */
export function judgeReading({ ends }: Committed, { next, isReadBeyondHead }: HowFarRead): Proven {
  const isUnread = ([partition, end]: [string, bigint]): boolean => (next.get(partition) ?? 0n) < end
  const unread = [...ends.data].filter(isUnread)
  if (unread.length === 0 && ![...ends.commitLog].some(isUnread)) return "everything"
  return unread.every(([partition]) => isReadBeyondHead(partition)) ? "rows" : "nothing"
}
