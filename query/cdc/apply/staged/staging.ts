// What the follower does with a transaction that is too large for memory: it writes what the assembler hands over to
// the staged table, applies all of it at once when it is whole, and tells how far it is.
import type { Logger } from "pino"
import type { Assembler } from "../../assemble/assemble.ts"
import type { ApplyTarget } from "../apply.ts"
import { type AppliedOrParked, applyStagedOrPark, type ReadRecords } from "../apply-or-park.ts"
import type { StagedStep } from "./apply-staged.ts"
import { toStagedRow } from "./staged-record.ts"
import { createStagedTable, writeStagedRows } from "./staged-rows.ts"

/** Rows per write to the staged table. */
const stageRows = 2_000

export type Staging = {
  /** Takes records of the head out of memory. @throws EngineError (retry) when the lease is another's. */
  stage: (assembler: Assembler) => Promise<void>
  apply: (step: StagedStep) => Promise<AppliedOrParked>
  /** Cuts an apply short, and nothing of it is stored: it may be a minute's work. */
  stop: () => void
  /** How far the transaction is that is being staged or applied, in words; null when there is none. */
  describe: (assembler: Assembler) => string | null
}

export function createStaging(deps: {
  target: ApplyTarget
  deadLetterLimit: number
  readRecords: ReadRecords
  log: Logger
}): Staging {
  const { target, log } = deps
  const stopping = new AbortController()
  let applying: { xid: string; taken: number; rows: number } | null = null

  return {
    async stage(assembler) {
      const { records, isFirst } = assembler.takeForStaging(stageRows)
      if (isFirst) {
        log.info(
          { code: "staged", xid: records[0]?.xid },
          "a transaction is too large for memory; it is staged",
        )
        await createStagedTable(target)
      }
      assembler.noteStaged(await writeStagedRows(target, records.map(toStagedRow)))
    },

    async apply(step) {
      const { rows, transaction } = step
      const { xid } = transaction
      const startedAt = performance.now()
      applying = { xid, taken: 0, rows }
      try {
        const noteTaken = (taken: number): void => {
          stopping.signal.throwIfAborted()
          applying = { xid, taken, rows }
        }
        const { deadLetterLimit, readRecords } = deps
        const applied = await applyStagedOrPark(target, step, deadLetterLimit, readRecords, noteTaken)
        const ms = Math.round(performance.now() - startedAt)
        log.info({ code: "staged", xid, rows, ms }, "the staged transaction is applied")
        return applied
      } finally {
        applying = null
      }
    },

    stop: () => stopping.abort(),

    describe(assembler) {
      if (applying) {
        const { xid, taken, rows } = applying
        return `applying transaction ${xid}: ${inWords(taken)} of ${inWords(rows)} rows`
      }
      const head = assembler.stagedHead()
      if (!head) return null
      const expected = head.expected === null ? "" : ` of ${inWords(head.expected)}`
      return `reading transaction ${head.xid}: ${inWords(head.rows)}${expected} rows so far, staged`
    },
  }
}

const inWords = (count: number): string => count.toLocaleString("en")
