// Memory is bounded by pausing partitions of the data topics; the commit log is read by a consumer of its own and
// never paused. Two rules, and neither can keep the head from becoming whole:
// - the head's own rows pause a partition only while more of them are in memory than the assembler lets stay: it asks
//   for staging then, which waits for nothing that is read, and when they are staged the partition goes on;
// - otherwise only a partition whose newest record belongs to a later transaction than the head may pause: all of the
//   head's rows in it have been read, so waiting for the head is not waiting for this partition.
// Pure: it decides, the follower acts.
import type { Assembler } from "./assemble.ts"
import type { DataRecord } from "./change.ts"

export type BackPressure = {
  /** After the record was taken: whether its partition has to wait. */
  mustPause: (record: DataRecord) => boolean
  /** Whenever something was released, applied or staged: whether a paused partition goes on. */
  mayResume: (partition: string) => boolean
}

/** Share of the memory that the head may fill before it is staged. */
export const headShare = 0.5

export function createBackPressure(
  assembler: Pick<Assembler, "headBytes" | "pendingBytes" | "isBeyondHead" | "isReadBeyondHead">,
  maxPendingBytes: number,
): BackPressure {
  const isHeadLarge = (): boolean => assembler.headBytes() > maxPendingBytes * headShare
  return {
    mustPause: (record) =>
      assembler.isBeyondHead(record) ? assembler.pendingBytes() > maxPendingBytes : isHeadLarge(),
    // However full memory is, the rows of the head must be read.
    mayResume: (partition) =>
      !isHeadLarge() &&
      (assembler.pendingBytes() < maxPendingBytes / 2 || !assembler.isReadBeyondHead(partition)),
  }
}
