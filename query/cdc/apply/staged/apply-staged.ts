// Step 4 of the flow for a transaction that is too large for memory: it is read from the staged table in parts and
// applied in one Postgres transaction like any other, alone. Derived models are brought in line by taking away what
// the touched aggregates contributed before the first row is written and adding what they contribute after the last:
// once per aggregate, however many parts its rows are in. Events are inferred in the same way.
import type { Transaction } from "kysely"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import { noteLaterChanges } from "../../dead-letters/later-changes.ts"
import { deadLetterRowsAfter, type Parking, park } from "../../dead-letters/park.ts"
import { writeRecorded } from "../../events/outbox.ts"
import { advanceProgress } from "../../lease/progress.ts"
import { tablesByName, writeRows } from "../../rows/apply-changes.ts"
import { foldTransactions } from "../../rows/batch.ts"
import { addToGroups, type Contributions, difference, readContributions } from "../../rows/derive.ts"
import { type Changes, type EndedTransaction, originText } from "../../vocabulary/change.ts"
import type { Lsn } from "../../vocabulary/lsn.ts"
import type { Applied, ApplyTarget } from "../apply.ts"
import { erasedIn, forgetErased } from "../erasure.ts"
import { fenceCache } from "../fence-cache.ts"
import { inferFromImages, keepImages } from "./staged-events.ts"
import { dropStagedTable, readStagedAggregates, readStagedChanges } from "./staged-rows.ts"
import { noteTouchedEntities, recomputeTouchedEntities } from "./touched-entities.ts"

export type StagedStep = {
  expected: Lsn
  transaction: EndedTransaction
  /** Row changes in the staged table. */
  rows: number
  resumeOffsets: ReadonlyMap<string, bigint>
  /** As in any step. */
  parking?: Parking
}

export type StagedOptions = {
  /** Told how many row changes have been taken so far. */
  onRows?: (rows: number) => void
  /** Places of records that are not applied. */
  leftOut?: ReadonlySet<string>
  /** Rows and aggregates taken at a time. */
  chunkRows?: number
}

const usualChunkRows = 2_000
/** Beyond this everything cached is given up: that is one step, and the rows took much longer. */
const mostCacheKeys = 5_000

const nothing: Contributions = new Map()

/** @throws EngineError or a Postgres error; whatever it is, nothing of the step is stored, or all of it. */
export async function applyStaged(
  target: ApplyTarget,
  step: StagedStep,
  options: StagedOptions = {},
): Promise<Applied> {
  const { transaction, rows: changes, parking } = step
  const { chunkRows = usualChunkRows } = options
  const tables = tablesByName(target.projections)
  return await target.db.transaction().execute(async (trx) => {
    // First, because it locks the row that a zombie would need too.
    await advanceProgress(trx, target.ref, {
      leaseEpoch: target.leaseEpoch,
      expected: step.expected,
      transactions: [transaction],
      changes,
      resumeOffsets: step.resumeOffsets,
      heartbeatAt: null,
    })
    // Before the rows: later changes of the same transaction are noted on what is parked with it. And before the
    // events, which go by what is parked of their transaction.
    if (parking) await park(trx, target.ref, parking)
    const deadLetterRows = parking && deadLetterRowsAfter(parking)
    const keys = new Set<string>()
    const addKey = (key: string): void => {
      if (keys.size <= mostCacheKeys) keys.add(key)
    }
    const erased = new Set<string>()
    let rows = 0
    let written = 0
    let taken = 0
    await derive(trx, target, chunkRows, addKey, (stored) => difference(stored, nothing))
    await noteTouchedEntities(trx, target, chunkRows)
    await keepImages(trx, target)
    for await (const part of readStagedParts(trx, target, transaction, options)) {
      const changed = await writeRows(trx, target, foldTransactions(part, tables))
      await writeRecorded(trx, target, part)
      if (deadLetterRows) await noteLaterChanges(trx, target.ref, tables, part, deadLetterRows)
      rows += changed.rows
      written += changed.written
      for (const key of changed.cacheKeys) addKey(key)
      for (const subject of erasedIn(target.projections, part)) erased.add(subject)
      for (const { records } of part) taken += records.length
      options.onRows?.(taken)
    }
    await derive(trx, target, chunkRows, addKey, (stored) => difference(nothing, stored))
    await noteTouchedEntities(trx, target, chunkRows)
    await recomputeTouchedEntities(trx, target, chunkRows, addKey)
    await inferFromImages(trx, target, transaction)
    await dropStagedTable(trx, target)
    const stale = keys.size > mostCacheKeys ? "all" : keys
    await forgetErased(trx, target, [...erased], stale)
    const isIncomplete = parking !== undefined && parking.changes.length > 0
    const cacheEpoch = await fenceCache(trx, target, transaction.commitLsn, isIncomplete ? "all" : stale)
    return { rows, stale: rows - written, cacheEpoch }
  })
}

/** The transaction in parts that are applied one after the other. */
export async function* readStagedParts(
  trx: Transaction<QueryDatabase>,
  target: ApplyTarget,
  { xid, commitLsn }: EndedTransaction,
  { leftOut = new Set(), chunkRows = usualChunkRows }: StagedOptions = {},
): AsyncGenerator<Changes[]> {
  for await (const records of readStagedChanges(trx, target, chunkRows)) {
    const kept = leftOut.size > 0 ? records.filter(({ origin }) => !leftOut.has(originText(origin))) : records
    yield [{ xid, commitLsn, records: kept }]
  }
}

/** Adds to the groups what `weigh` makes of the contributions of every touched aggregate, as the rows are stored now. */
async function derive(
  trx: Transaction<QueryDatabase>,
  target: ApplyTarget,
  chunkRows: number,
  addKey: (key: string) => void,
  weigh: (stored: Contributions) => ReturnType<typeof difference>,
): Promise<void> {
  const { projections, schema } = target
  for (const model of projections.derived) {
    for await (const aggregates of readStagedAggregates(trx, target, model.touchedBy, chunkRows)) {
      const [stored = nothing] = await readContributions(trx, schema, [{ model, aggregates }])
      const changes = weigh(stored)
      await addToGroups(trx, schema, [{ model, changes }])
      for (const { group } of changes) {
        for (const key of projections.cache.ofGroup(model.name, group)) addKey(key)
      }
    }
  }
}
