// Step 4 of the flow as the driver does it: performs one piece of work on Postgres and returns the outcome that the
// flow must know. After any error either nothing of the work is stored, or all of it.
import type { Logger } from "pino"
import type { ApplyStep, ApplyTarget } from "../apply/apply.ts"
import {
  type AppliedOrParked,
  applyOrPark,
  applyStagedOrPark,
  type ReadRecords,
} from "../apply/apply-or-park.ts"
import type { StagedStep } from "../apply/staged/apply-staged.ts"
import { toStagedRow } from "../apply/staged/staged-record.ts"
import { createStagedTable, writeStagedRows } from "../apply/staged/staged-rows.ts"
import type { StagedHead } from "../assemble/head.ts"
import type { DataRecord } from "../vocabulary/change.ts"

export type Performer = {
  apply: (step: ApplyStep) => Promise<AppliedOrParked>
  applyStaged: (step: StagedStep) => Promise<AppliedOrParked>
  /** @returns how many of the records were not staged before, by table. @throws EngineError (retry) without lease. */
  stage: (records: readonly DataRecord[], isFirst: boolean) => Promise<ReadonlyMap<string, number>>
  /** Cuts an apply of a staged transaction short: it may take a minute. Nothing of it is stored then. */
  cutShort: () => void
  /** How many rows of a staged transaction are applied by now, in words; null when none is being applied. */
  describe: () => string | null
}

export function createPerformer(deps: {
  target: ApplyTarget
  deadLetterLimit: number
  readRecords: ReadRecords
  log: Logger
}): Performer {
  const { target, deadLetterLimit, readRecords, log } = deps
  const stopping = new AbortController()
  let applying: { xid: string; taken: number; rows: number } | null = null

  return {
    apply: (step) => applyOrPark(target, step, deadLetterLimit, readRecords),

    async applyStaged(step) {
      const { rows, transaction } = step
      const { xid } = transaction
      const startedAt = performance.now()
      applying = { xid, taken: 0, rows }
      try {
        const noteTaken = (taken: number): void => {
          stopping.signal.throwIfAborted()
          applying = { xid, taken, rows }
        }
        const applied = await applyStagedOrPark(target, step, deadLetterLimit, readRecords, noteTaken)
        const ms = Math.round(performance.now() - startedAt)
        log.info({ code: "staged", xid, rows, ms }, "the staged transaction is applied")
        return applied
      } finally {
        applying = null
      }
    },

    async stage(records, isFirst) {
      if (isFirst) {
        log.info(
          { code: "staged", xid: records[0]?.xid },
          "a transaction is too large for memory; it is staged",
        )
        await createStagedTable(target)
      }
      return await writeStagedRows(target, records.map(toStagedRow))
    },

    cutShort: () => stopping.abort(),

    describe() {
      if (!applying) return null
      const { xid, taken, rows } = applying
      return `applying transaction ${xid}: ${inWords(taken)} of ${inWords(rows)} rows`
    },
  }
}

/** How far the reading is of a transaction that is too large for memory, in words. */
export function describeReading({ xid, rows, expected }: StagedHead): string {
  const all = expected === null ? "" : ` of ${inWords(expected)}`
  return `reading transaction ${xid}: ${inWords(rows)}${all} rows so far, staged`
}

/** 1234567 as `1,234,567`. */
const inWords = (count: number): string => count.toLocaleString("en")
