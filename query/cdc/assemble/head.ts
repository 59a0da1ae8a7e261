// The vocabulary of step 3 (assemble): what the assembler knows of the head of the line, and what it answers.
import type { EndedTransaction, Transaction } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import type { UnreadableRecord } from "./unreadable.ts"

export type Head = {
  xid: string
  commitLsn: Lsn
  previousCommitLsn: Lsn
  expected: number
  received: number
  /** A crash of the connector lies inside it: its count says nothing. */
  disturbed: boolean
  /** Its count tells whether it is whole: no crash lies inside it, and it has rows to read. */
  isCounted: boolean
  /** What is here cannot tell whether it is whole: ask for the proof at once. */
  needsProof: boolean
}

export type Next =
  /** `unreadable`: records that stand for the rows that it lacks. */
  | { state: "released"; transaction: Transaction; head: Head; unreadable: readonly UnreadableRecord[] }
  /** Its rows are in the staged table, all of them. */
  | {
      state: "released-staged"
      transaction: EndedTransaction
      rows: number
      head: Head
      unreadable: readonly UnreadableRecord[]
    }
  /** Rows of the head are in memory that must be staged before anything else happens. */
  | { state: "needs-staging" }
  /** Nothing is pending: the read side is at the end of the log. */
  | { state: "idle" }
  /** Rows are here, their END is not. */
  | { state: "waiting-for-end"; rows: number }
  /** The END is here; rows are missing, or only a proof can tell whether any are. */
  | { state: "waiting-for-rows"; head: Head }

/** A head that is too large for memory: its rows that are staged, and how many it has once its END tells. */
export type StagedHead = { xid: string; rows: number; expected: number | null }

/** Once all is read: a crash makes counts wrong, but rows that were counted cannot all be absent. */
export const isLoss = ({ received, expected, disturbed }: Head): boolean =>
  received !== expected && (!disturbed || received === 0)
