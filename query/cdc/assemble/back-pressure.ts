// Memory is bounded by pausing partitions. No rule can keep the head of the line from becoming whole:
// - the head's own rows pause a partition only while more of them are in memory than the assembler lets stay: it asks
//   for staging then, which waits for nothing that is read, and when they are staged the partition goes on;
// - otherwise only a partition whose newest record belongs to a later transaction than the head may pause: all of the
//   head's rows in it have been read, so waiting for the head is not waiting for this partition;
// - the commit log pauses only while it is many ENDs ahead, and the head's own is the first of them.
// Pure: it decides, the follower acts.
import type { DataRecord } from "../vocabulary/change.ts"
import type { Assembler } from "./assemble.ts"

export type BackPressure = {
  /** After a record was taken: whether its partition has to wait. */
  mustPause: (record: DataRecord) => boolean
  /** After an entry of the commit log was taken: whether the log has to wait. */
  mustPauseLog: () => boolean
  /** Whenever something was passed over, released or staged: whether a paused partition goes on. */
  mayResume: (partition: string) => boolean
  mayResumeLog: () => boolean
}

export type Limits = {
  /** About what pending records may take in memory. */
  pendingBytes: number
  /** ENDs of transactions that are not released. */
  pendingEnds: number
}

/** Share of the memory that the head may fill before it is staged. */
export const headShare = 0.5

export function createBackPressure(
  assembler: Pick<
    Assembler,
    "headBytes" | "pendingBytes" | "pendingEnds" | "isBeyondHead" | "isReadBeyondHead"
  >,
  limits: Limits,
): BackPressure {
  const isHeadLarge = (): boolean => assembler.headBytes() > limits.pendingBytes * headShare
  return {
    mustPause: (record) =>
      assembler.isBeyondHead(record) ? assembler.pendingBytes() > limits.pendingBytes : isHeadLarge(),
    mustPauseLog: () => assembler.pendingEnds() > limits.pendingEnds,
    // However full memory is, the rows of the head must be read.
    mayResume: (partition) =>
      !isHeadLarge() &&
      (assembler.pendingBytes() < limits.pendingBytes / 2 || !assembler.isReadBeyondHead(partition)),
    mayResumeLog: () => assembler.pendingEnds() <= limits.pendingEnds / 2,
  }
}
