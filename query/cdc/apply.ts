// Step 4 of the flow: one Postgres transaction takes released transactions into the read models. Rows, derived
// models, resume offsets, applied xids and the fenced position move together, so a crash between any two
// statements changes nothing, and no reader ever sees part of a source transaction.
import { CompiledQuery, type Kysely, sql, type Transaction as Transaction_ } from "kysely"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { type Batch, foldTransactions } from "./batch.ts"
import type { CacheFence } from "./cache-fence.ts"
import type { Transaction } from "./change.ts"
import {
  addToGroups,
  type Contributions,
  difference,
  readContributions,
  touchedAggregates,
} from "./derive.ts"
import { EngineError } from "./errors.ts"
import type { Lsn } from "./lsn.ts"
import { quoted, upsertRows } from "./mirror.ts"
import { advanceProgress, type GenerationRef } from "./progress.ts"
import type { DerivedModel, MirroredTable, Projections } from "./projection.ts"

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
}

export type Applied = { rows: number; stale: number; cacheEpoch: bigint }

/** Channel that wakes readers who wait for a position; the payload is the source. */
export const positionChannel = "lockstep_position"

/** @throws EngineError or a Postgres error; whatever it is, nothing of the step is stored, or all of it. */
export async function applyTransactions(target: ApplyTarget, step: ApplyStep): Promise<Applied> {
  const tables = tablesByName(target.projections)
  const batch = foldTransactions(step.transactions, tables)
  const applied = await target.db.transaction().execute(async (trx) => {
    // First, because it locks the row that a zombie would need too.
    await advanceProgress(trx, target.ref, { ...step, leaseEpoch: target.leaseEpoch })
    const before = await contributionsOf(trx, target, batch)
    let rows = 0
    let written = 0
    for (const [name, changed] of batch) {
      const table = tables.get(name)
      if (!table) continue
      rows += changed.size
      written += await upsertRows(trx, target.schema, table, target.epoch, [...changed.values()])
    }
    const cacheKeys = keysOfRows(target.projections, batch)
    await derive(trx, target, before, cacheKeys)
    await findCacheKeys(trx, target, batch, cacheKeys)
    const cacheEpoch = await fenceCache(trx, target, step, [...cacheKeys])
    return { rows, stale: rows - written, cacheEpoch }
  })
  return applied
}

type Touched = { model: DerivedModel; aggregates: string[]; before: Contributions }

async function contributionsOf(
  trx: Transaction_<QueryDatabase>,
  target: ApplyTarget,
  batch: Batch,
): Promise<Touched[]> {
  const touched: Touched[] = []
  for (const model of target.projections.derived) {
    const aggregates = touchedAggregates(model, batch)
    if (aggregates.length === 0) continue
    touched.push({
      model,
      aggregates,
      before: await readContributions(trx, target.schema, model, aggregates),
    })
  }
  return touched
}

async function derive(
  trx: Transaction_<QueryDatabase>,
  target: ApplyTarget,
  touched: readonly Touched[],
  cacheKeys: Set<string>,
): Promise<void> {
  for (const { model, aggregates, before } of touched) {
    const after = await readContributions(trx, target.schema, model, aggregates)
    const changes = difference(before, after)
    await addToGroups(trx, target.schema, model, changes)
    for (const change of changes) {
      for (const key of target.projections.cache.ofGroup(model.name, change.group)) cacheKeys.add(key)
    }
  }
}

function keysOfRows(projections: Projections, batch: Batch): Set<string> {
  const keys = new Set<string>()
  for (const [table, rows] of batch) {
    for (const row of rows.values()) {
      for (const key of projections.cache.ofRow(table, row.key.map(String))) keys.add(key)
    }
  }
  return keys
}

async function findCacheKeys(
  trx: Transaction_<QueryDatabase>,
  target: ApplyTarget,
  batch: Batch,
  cacheKeys: Set<string>,
): Promise<void> {
  for (const [table, find] of Object.entries(target.projections.cache.found)) {
    const rows = batch.get(table)
    if (!rows) continue
    const changed = [...rows.values()].map((row) => String(row.key[0]))
    const found = await trx.executeQuery(
      CompiledQuery.raw(`select key from (${find(quoted(target.schema), "$1::text[]")}) as found (key)`, [
        changed,
      ]),
    )
    for (const row of found.rows) {
      if (typeof row === "object" && row !== null && "key" in row) cacheKeys.add(String(row.key))
    }
  }
}

/** Last before the commit: from here on no cached answer older than this step is served. Wakes waiting readers. */
async function fenceCache(
  trx: Transaction_<QueryDatabase>,
  target: ApplyTarget,
  step: ApplyStep,
  keys: readonly string[],
): Promise<bigint> {
  const { source } = target.ref
  const position = step.transactions.at(-1)?.commitLsn ?? step.expected
  const outcome = await target.cacheFence.fence(position, keys)
  const stored =
    outcome === "raise-epoch"
      ? await sql<{ cache_epoch: bigint }>`
        update cdc.sources set cache_epoch = cache_epoch + 1 where source = ${source}
        returning cache_epoch, pg_notify(${positionChannel}, ${source})`.execute(trx)
      : await sql<{ cache_epoch: bigint }>`
        select cache_epoch, pg_notify(${positionChannel}, ${source}) from cdc.sources
        where source = ${source}`.execute(trx)
  const row = stored.rows[0]
  if (!row) throw new EngineError("halt", "unexpected", `Source ${source} is not known.`)
  return row.cache_epoch
}

export const tablesByName = (projections: Projections): Map<string, MirroredTable> =>
  new Map(projections.tables.map((table) => [table.name, table]))
