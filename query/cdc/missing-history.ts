// The two ways in which the assembler proves that history is missing. Both halt: what is gone from the topics cannot
// come back, and going on would break the promise.
import type { End, Head } from "./assemble.ts"
import { EngineError, rebuildNextStep } from "./errors.ts"
import { formatLsn, type Lsn } from "./lsn.ts"

/** The head does not follow the last END applied: a transaction between them is not in the commit log. */
export function brokenChain(head: Pick<End, "xid" | "commitLsn">, lastEnd: Lsn, what: string): EngineError {
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
export function countMismatch(head: Head, lastEnd: Lsn): EngineError {
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
        lastEnd: formatLsn(lastEnd),
      },
    },
  )
}
