// Part of step 4 for a transaction that is too large for memory: entities whose rows must be computed anew are noted in
// a table that ends with the Postgres transaction, and are taken from there in parts.
import { CompiledQuery, type QueryResult, sql, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import type { RecomputedModel } from "../../projection/projection.ts"
import { readEntities, recomputeEntities } from "../../rows/recompute.ts"
import type { ApplyTarget } from "../apply.ts"
import { readStagedAggregates } from "./staged-rows.ts"

const noted = z.object({ entity: z.string() })

/** To be called before the first row is written and again after the last. */
export async function noteTouchedEntities(
  trx: Transaction<QueryDatabase>,
  target: ApplyTarget,
  chunkRows: number,
): Promise<void> {
  const { projections, schema } = target
  if (projections.recomputed.length === 0) return
  await sql`
    create temporary table if not exists touched_entities (model text, entity text, primary key (model, entity))
    on commit drop`.execute(trx)
  for (const model of projections.recomputed) {
    for await (const aggregates of readStagedAggregates(trx, target, model.touchedBy, chunkRows)) {
      const entities = await readEntities(trx, schema, model, aggregates)
      await sql`insert into touched_entities select ${model.name}::text, unnest(${entities}::text[])
        on conflict do nothing`.execute(trx)
    }
  }
}

/** Computes the rows of all noted entities anew, and names the cached answers that show these rows. */
export async function recomputeTouchedEntities(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: ApplyTarget,
  chunkRows: number,
  addKey: (key: string) => void,
): Promise<void> {
  for (const model of projections.recomputed) {
    for await (const entities of readNoted(trx, model, chunkRows)) {
      await recomputeEntities(trx, schema, model, entities)
      for (const entity of entities) {
        for (const key of projections.cache.ofEntity?.(model.name, entity) ?? []) addKey(key)
      }
    }
  }
}

async function* readNoted(
  trx: Transaction<QueryDatabase>,
  { name }: RecomputedModel,
  count: number,
): AsyncGenerator<string[]> {
  let last: string | null | undefined = null
  while (last !== undefined) {
    const { rows }: QueryResult<unknown> = await trx.executeQuery(
      CompiledQuery.raw(
        `select entity from touched_entities where model = $1 and ($2::text is null or entity > $2::text)
         order by entity limit $3`,
        [name, last, count],
      ),
    )
    const entities: string[] = rows.map((row) => noted.parse(row).entity)
    if (entities.length > 0) yield entities
    last = entities.length === count ? entities.at(-1) : undefined
  }
}
