// The two ways in which the assembler proves that history is missing. Both halt: what is gone from the topics cannot
// come back, and going on would break the promise.
import { EngineError, rebuildNextStep } from "../vocabulary/errors.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"
import type { Head } from "./head.ts"
import type { PendingRows } from "./pending.ts"
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
