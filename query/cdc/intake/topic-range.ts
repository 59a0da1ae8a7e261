// Part of step 1 (fetch): whether what has to be read next is still there. Retention removes records by age, and a
// topic can be deleted and made again; either way records are missing that were promised, and the client says nothing.
import type { OffsetRange } from "../kafka/client.ts"
import type { CommitLogEntry } from "../vocabulary/change.ts"
import { EngineError, rebuildNextStep } from "../vocabulary/errors.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"

/** @throws EngineError (halt) naming the gap when the topic begins after the record that is needed next. */
export function assertKept(partition: string, offset: bigint, range: OffsetRange): void {
  if (offset >= range.low) return
  throw new EngineError(
    "history-truncated",
    `${partition} begins at offset ${range.low}; ${offset} to ${range.low - 1n} were not applied yet and are gone.`,
    { nextStep: rebuildNextStep, detail: detailOf(partition, offset, range) },
  )
}

/** @throws EngineError (halt) when the topic ends before what was read of it. */
export function assertSameTopic(partition: string, offset: bigint, range: OffsetRange): void {
  if (offset <= range.high) return
  throw new EngineError(
    "commit-log-mismatch",
    `${partition} ends at offset ${range.high}, before ${offset}: it is not the topic that was followed.`,
    { nextStep: rebuildNextStep, detail: detailOf(partition, offset, range) },
  )
}

/**
 * Where the commit log is read from: the last END applied, to see that it is the log that was followed. When just this
 * record has expired and all after it is there, nothing is missing; then the next transaction's predecessor shows
 * what the END would have.
 */
export function findLogStart(lastEndOffset: bigint, range: OffsetRange): bigint {
  return range.low === lastEndOffset + 1n ? range.low : lastEndOffset
}

/** @throws EngineError (halt) unless the entry is the END that was applied last. */
export function assertIsLastEnd(
  entry: CommitLogEntry,
  { lastEnd, lastEndOffset }: { lastEnd: Lsn; lastEndOffset: bigint },
): void {
  if (entry.offset === lastEndOffset && entry.status === "END" && entry.commitLsn === lastEnd) return
  throw new EngineError(
    "commit-log-mismatch",
    `The commit log at offset ${lastEndOffset} is not the END of ${formatLsn(lastEnd)}: it is not the log that was followed.`,
    { nextStep: rebuildNextStep, detail: { offset: String(lastEndOffset), lastEnd: formatLsn(lastEnd) } },
  )
}

const detailOf = (partition: string, offset: bigint, range: OffsetRange): Record<string, string> => ({
  partition,
  offset: String(offset),
  low: String(range.low),
  high: String(range.high),
})
