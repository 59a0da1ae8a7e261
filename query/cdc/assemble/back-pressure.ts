// Memory is bounded by pausing partitions. No pause can keep the head of the line from becoming whole:
// - The head's own rows pause a partition only while they fill more memory than the assembler lets stay. The assembler
//   then asks for staging, which waits for no reading, and after staging the partition goes on.
// - Otherwise a partition may pause only if its newest record belongs to a later transaction than the head. All rows of
//   the head in this partition have been read, so the head does not wait for the partition.
// - The commit log pauses only while it is many ENDs ahead, and the first of these is the head's own END.
// Example: the limit is 256 MiB, 815 is the head, 816 follows, and 260 MiB are pending.
//   a row of 816 comes from `a/0`: `a/0` pauses until less than 128 MiB are pending, or until 816 is the head
//   a row of 815 comes from `b/0`, 5 MiB of 815 are in memory: `b/0` goes on
//   a row of 815 comes from `b/0`, 129 MiB of 815 are in memory: `b/0` pauses until rows of 815 are staged
// Pure: back-pressure decides, the driver of the flow acts.
import type { DataRecord } from "../vocabulary/change.ts"
import type { Assembler } from "./assemble.ts"

export type BackPressure = {
  /** Whether the partition of a record has to pause; asked after the record was taken. */
  mustPause: (record: DataRecord) => boolean
  /** Whether the commit log has to pause; asked after an entry was taken. */
  mustPauseLog: () => boolean
  /** Whether a paused partition goes on; asked after records were passed over, released or staged. */
  mayResume: (partition: string) => boolean
  mayResumeLog: () => boolean
}

export type Limits = {
  /** About how much memory pending records may take. */
  pendingBytes: number
  /** How many ENDs of unreleased transactions may be pending. */
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
