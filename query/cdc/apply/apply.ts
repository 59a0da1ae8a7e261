// Step 4 of the flow: one Postgres transaction takes released transactions into the read models. Rows, derived
// models, events, resume offsets, applied xids and the fenced position move together, so a crash between any two
// statements changes nothing, and no reader ever sees part of a source transaction.
import type { Kysely } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { CacheFence } from "../cache/fence.ts"
import { noteLaterChanges } from "../dead-letters/later-changes.ts"
import { deadLetterRowsAfter, type Parking, park } from "../dead-letters/park.ts"
import { applyWithEvents } from "../events/infer-events.ts"
import { advanceProgress, type GenerationRef } from "../lease/progress.ts"
import type { Projections } from "../projection/projection.ts"
import { tablesByName } from "../rows/apply-changes.ts"
import type { Transaction } from "../vocabulary/change.ts"
import type { Lsn } from "../vocabulary/lsn.ts"
import { erasedIn, forgetErased } from "./erasure.ts"
import { fenceCache } from "./fence-cache.ts"

export type ApplyTarget = {
  db: Kysely<QueryDatabase>
  projections: Projections
  ref: GenerationRef
  schema: string
  epoch: number
  leaseEpoch: bigint
  cacheFence: CacheFence
}

export type ApplyStep = {
  expected: Lsn
  transactions: readonly Transaction[]
  resumeOffsets: ReadonlyMap<string, bigint>
  /** The source's clock in the last heartbeat of the batch. */
  heartbeatAt: string | null
  /** What is parked with this step, and was before it; absent where nothing is. */
  parking?: Parking
}

export type Applied = { rows: number; stale: number; cacheEpoch: bigint }

/** @throws EngineError or a Postgres error; whatever it is, nothing of the step is stored, or all of it. */
export async function applyTransactions(target: ApplyTarget, step: ApplyStep): Promise<Applied> {
  const tables = tablesByName(target.projections)
  const changes = step.transactions.reduce((sum, { records }) => sum + records.length, 0)
  return await target.db.transaction().execute(async (trx) => {
    // First, because it locks the row that a zombie would need too.
    await advanceProgress(trx, target.ref, { ...step, changes, leaseEpoch: target.leaseEpoch })
    // Before the events are written, which go by what is parked of their transactions.
    if (step.parking) await park(trx, target.ref, step.parking)
    const { rows, written, cacheKeys } = await applyWithEvents(trx, target, step.transactions)
    if (step.parking) {
      await noteLaterChanges(trx, target.ref, tables, step.transactions, deadLetterRowsAfter(step.parking))
    }
    await forgetErased(trx, target, erasedIn(target.projections, step.transactions), cacheKeys)
    // Answers that lack a parked change say so, and cached ones do not: there may be many of them.
    const stale = step.parking && step.parking.changes.length > 0 ? "all" : cacheKeys
    const position = step.transactions.at(-1)?.commitLsn ?? step.expected
    const cacheEpoch = await fenceCache(trx, target, position, stale)
    return { rows, stale: rows - written, cacheEpoch }
  })
}
