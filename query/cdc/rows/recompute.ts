// Step 4c of the flow, for models that are no sums: the entities of the touched aggregates are noted before a batch is
// written and again after, because an aggregate may move to another entity. Then their rows are computed anew.
import { CompiledQuery, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { RecomputedModel } from "../projection/projection.ts"

const entityRow = z.object({ entity: z.string() })

/** The entities that the named aggregates belong to, by the rows as stored now. */
export async function readEntities(
  trx: Transaction<QueryDatabase>,
  schema: string,
  model: RecomputedModel,
  aggregates: readonly string[],
): Promise<string[]> {
  const { rows } = await trx.executeQuery(
    CompiledQuery.raw(
      `select distinct entity from (${model.entities(quoted(schema), "$1::text[]")}) found (entity)
       where entity is not null`,
      [aggregates],
    ),
  )
  return rows.map((row) => entityRow.parse(row).entity)
}

/** Computes the model's rows of these entities from the rows as stored now; an unchanged row is not written. */
export async function recomputeEntities(
  trx: Transaction<QueryDatabase>,
  schema: string,
  model: RecomputedModel,
  entities: readonly string[],
): Promise<void> {
  if (entities.length === 0) return
  const table = `${quoted(schema)}.${quoted(model.name)}`
  const key = model.key.map(({ name }) => quoted(name))
  const columns = model.columns.map(({ name }) => quoted(name))
  const names = [...key, ...columns].join(", ")
  const differs = columns.map((name) => `stored.${name} is distinct from excluded.${name}`).join(" or ")
  await trx.executeQuery(
    CompiledQuery.raw(
      `with computed as materialized (
         select ${names} from (${model.rows(quoted(schema), "$1::text[]")}) rows
       ), gone as (
         delete from ${table} where ${key[0]} = any($1::text[]) and (${key.join(", ")}) not in
           (select ${key.join(", ")} from computed)
       )
       insert into ${table} as stored (${names}) select ${names} from computed
       on conflict (${key.join(", ")}) do update
       set ${columns.map((name) => `${name} = excluded.${name}`).join(", ")} where ${differs}`,
      [entities],
    ),
  )
}

/** SQL that computes a model once over all rows. */
export const computeAll = (schema: string, model: RecomputedModel): string => {
  const names = [...model.key, ...model.columns].map(({ name }) => quoted(name)).join(", ")
  return `insert into ${quoted(schema)}.${quoted(model.name)} (${names})
    select ${names} from (${model.rows(quoted(schema), null)}) computed`
}
