// Step 4a-d of the flow, inside the Postgres transaction of an apply: writes folded row changes into the mirrored
// tables and the derived models. The step may run several times in one Postgres transaction: the parts of a history,
// applied in their order, leave the same rows and sums as the whole (chunks.ts says where a history may be cut).
import type { Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import type { MirroredTable, Projections, RecomputedModel } from "../projection/projection.ts"
import type { Batch } from "./batch.ts"
import { addCacheKeys } from "./cache-keys.ts"
import {
  addToGroups,
  type Contributions,
  difference,
  readContributions,
  type Touched,
  touchedAggregates,
} from "./derive.ts"
import { upsertRows } from "./mirror.ts"
import { readEntities, recomputeEntities } from "./recompute.ts"

export type ChangesTarget = { projections: Projections; schema: string; epoch: number }

export type Changed = {
  rows: number
  /** Rows that were stored; the guard refused the other rows, because the stored rows are newer. */
  written: number
  /** Keys of the cached answers that these changes make stale. */
  cacheKeys: Set<string>
}

/** @throws EngineError or a Postgres error; the transaction around it must then abort. */
export async function applyChanges(
  trx: Transaction<QueryDatabase>,
  target: ChangesTarget,
  batch: Batch,
): Promise<Changed> {
  return await changeRows(trx, target, batch, () => writeRows(trx, target, batch))
}

/** Lets `write` change the mirrored rows that `touched` names, and brings the derived models in line with them. */
export async function changeRows(
  trx: Transaction<QueryDatabase>,
  target: ChangesTarget,
  touched: Batch,
  write: () => Promise<Changed>,
): Promise<Changed> {
  const contributions = await contributionsOf(trx, target, touched)
  const entities = await entitiesOf(trx, target, touched)
  const changed = await write()
  await derive(trx, target, contributions, changed.cacheKeys)
  await recompute(trx, target, entities, changed.cacheKeys)
  return changed
}

/** Writes the mirrored tables alone: the caller brings the derived models in line, in the same transaction. */
export async function writeRows(
  trx: Transaction<QueryDatabase>,
  target: ChangesTarget,
  batch: Batch,
): Promise<Changed> {
  const tables = tablesByName(target.projections)
  let rows = 0
  let written = 0
  for (const [name, changed] of batch) {
    const table = tables.get(name)
    if (!table) continue
    rows += changed.size
    written += await upsertRows(trx, target.schema, table, target.epoch, [...changed.values()])
  }
  const cacheKeys = new Set<string>()
  const keys = new Map(
    [...batch].map(([table, changed]) => [table, [...changed.values()].map(({ key }) => key)]),
  )
  await addCacheKeys(trx, target, keys, cacheKeys)
  return { rows, written, cacheKeys }
}

type Contributed = { touched: Touched[]; before: Contributions[] }

async function contributionsOf(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: ChangesTarget,
  batch: Batch,
): Promise<Contributed> {
  const touched = projections.derived
    .map((model) => ({ model, aggregates: touchedAggregates(model, batch) }))
    .filter(({ aggregates }) => aggregates.length > 0)
  return { touched, before: await readContributions(trx, schema, touched) }
}

async function derive(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: ChangesTarget,
  { touched, before }: Contributed,
  cacheKeys: Set<string>,
): Promise<void> {
  const after = await readContributions(trx, schema, touched)
  const changed = touched.map(({ model }, index) => ({
    model,
    changes: difference(before[index] ?? new Map(), after[index] ?? new Map()),
  }))
  await addToGroups(trx, schema, changed)
  for (const { model, changes } of changed) {
    for (const { group } of changes) {
      for (const key of projections.cache.ofGroup(model.name, group)) cacheKeys.add(key)
    }
  }
}

type TouchedEntities = { model: RecomputedModel; aggregates: string[]; before: string[] }

async function entitiesOf(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: ChangesTarget,
  batch: Batch,
): Promise<TouchedEntities[]> {
  const touched: TouchedEntities[] = []
  for (const model of projections.recomputed) {
    const aggregates = touchedAggregates(model, batch)
    if (aggregates.length === 0) continue
    touched.push({ model, aggregates, before: await readEntities(trx, schema, model, aggregates) })
  }
  return touched
}

async function recompute(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: ChangesTarget,
  touched: readonly TouchedEntities[],
  cacheKeys: Set<string>,
): Promise<void> {
  for (const { model, aggregates, before } of touched) {
    const entities = new Set([...before, ...(await readEntities(trx, schema, model, aggregates))])
    await recomputeEntities(trx, schema, model, [...entities])
    for (const entity of entities) {
      for (const key of projections.cache.ofEntity?.(model.name, entity) ?? []) cacheKeys.add(key)
    }
  }
}

export const tablesByName = (projections: Projections): Map<string, MirroredTable> =>
  new Map(projections.tables.map((table) => [table.name, table]))
