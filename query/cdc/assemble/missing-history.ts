// Part of step 3 (assemble): why the flow stops before a transaction. There are two proofs that history is missing, which
// cannot come back: going on would break the promise. And there is a change that cannot be applied and must not be passed
// over. Its reason was found when it was decoded; here the reason gets its place in history.
import { EngineError, rebuildNextStep } from "../vocabulary/errors.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import type { Head } from "./head.ts"
import type { Blocked, PendingRows } from "./pending.ts"
import type { End } from "./pending-ends.ts"

/**
 * The head's records must name `lastEnd`, and no other transaction may come before the head.
 * @throws EngineError (halt) otherwise.
 */
export function assertChain(end: End, lastEnd: Lsn, pending: PendingRows): void {
  const group = pending.follow(lastEnd)
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

/** The head does not follow the last END applied: a transaction between them is not in the commit log. */
function brokenChain(head: Pick<End, "xid" | "commitLsn">, lastEnd: Lsn, what: string): EngineError {
  const { xid, commitLsn } = head
  return new EngineError(
    "broken-chain",
    `The next transaction ${xid} (${formatLsn(commitLsn)}) does not follow ${formatLsn(lastEnd)}: ${what}.`,
    {
      nextStep: rebuildNextStep,
      detail: { xid, commitLsn: formatLsn(commitLsn), lastEnd: formatLsn(lastEnd) },
    },
  )
}

/** Everything of the head has been read, and rows that were counted are not there. */
export function countMismatch(head: Head): EngineError {
  const { xid, expected, received } = head
  return new EngineError(
    "count-mismatch",
    `Transaction ${xid} (${formatLsn(head.commitLsn)}) has ${expected} row changes, but only ${received} are in the topics, although the connector has sent all of it.`,
    {
      nextStep: rebuildNextStep,
      detail: {
        xid,
        commitLsn: formatLsn(head.commitLsn),
        expected,
        received,
        lastEnd: formatLsn(head.previousCommitLsn),
      },
    },
  )
}

/** Why the change cannot be applied, with its transaction and the first record that cannot be. */
export function blockedTransaction(
  { error, origin }: Blocked,
  { xid, commitLsn }: { xid: string; commitLsn: Lsn },
): EngineError {
  return new EngineError(error.code, error.message, {
    ...(error.nextStep === null ? {} : { nextStep: error.nextStep }),
    detail: {
      topic: origin.topic,
      partition: origin.partition,
      offset: String(origin.offset),
      ...error.detail,
      xid,
      commitLsn: formatLsn(commitLsn),
    },
    cause: error.cause,
  })
}
