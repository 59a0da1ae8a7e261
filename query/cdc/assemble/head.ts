// The vocabulary of step 3 (assemble): the assembler's knowledge of the head of the line, and its answers.
import type { EndedTransaction, Transaction } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import type { UnreadableRecord } from "./unreadable.ts"

export type Head = {
  xid: string
  commitLsn: Lsn
  previousCommitLsn: Lsn
  expected: number
  received: number
  /** A crash of the connector lies inside the transaction, so its count says nothing. */
  disturbed: boolean
  /** The count tells whether the transaction is whole: no crash lies inside it, and it has rows to read. */
  isCounted: boolean
  /** The records read so far cannot tell whether the transaction is whole, so the proof is asked for at once. */
  needsProof: boolean
}

export type Next =
  /** `unreadable`: records that could not be read and that stand for missing rows of the transaction. */
  | { state: "released"; transaction: Transaction; head: Head; unreadable: readonly UnreadableRecord[] }
  /** All rows of the transaction are in the staged table. */
  | {
      state: "released-staged"
      transaction: EndedTransaction
      rows: number
      head: Head
      unreadable: readonly UnreadableRecord[]
    }
  /** Rows of the head in memory must be staged before any other work. */
  | { state: "needs-staging" }
  /** Nothing is pending: the read side is at the end of the log. */
  | { state: "idle" }
  /** Rows have been read, their END has not. */
  | { state: "waiting-for-end"; rows: number }
  /** The END has been read; rows are missing, or only a proof can tell whether rows are missing. */
  | { state: "waiting-for-rows"; head: Head }

/** A head that is too large for memory: `rows` of it are staged; `expected` is its END's count, null without an END. */
export type StagedHead = { xid: string; rows: number; expected: number | null }

/**
 * Whether rows of a head are lost, asked when the topics have been read. A crash makes counts wrong, but counted rows
 * cannot all be absent. Of 5 expected rows: 4 received are a loss if no crash lies inside, 0 received always are.
 */
export const isLoss = ({ received, expected, disturbed }: Head): boolean =>
  received !== expected && (!disturbed || received === 0)
