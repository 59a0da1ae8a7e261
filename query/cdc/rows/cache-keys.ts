// Part of step 4 (apply): the projections tell which cached answers depend on rows that change.
import { CompiledQuery, type Transaction } from "kysely"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { Projections } from "../projection/projection.ts"
import type { Value } from "../vocabulary/change.ts"

/** Adds the cache keys of the answers that show the changed rows; `changed` has the keys of these rows by table. */
export async function addCacheKeys(
  trx: Transaction<QueryDatabase>,
  target: { projections: Projections; schema: string },
  changed: ReadonlyMap<string, readonly (readonly Value[])[]>,
  cacheKeys: Set<string>,
): Promise<void> {
  const { ofRow, found } = target.projections.cache
  const selects: string[] = []
  const parameters: string[][] = []
  for (const [table, keys] of changed) {
    for (const key of keys) for (const cacheKey of ofRow(table, key.map(String))) cacheKeys.add(cacheKey)
    const find = found[table]
    if (!find) continue
    parameters.push(keys.map((key) => String(key[0])))
    selects.push(find(quoted(target.schema), `$${parameters.length}::text[]`))
  }
  if (selects.length === 0) return
  const { rows } = await trx.executeQuery(
    CompiledQuery.raw(`select key from (${selects.join(" union ")}) as found (key)`, parameters),
  )
  for (const row of rows) {
    if (typeof row === "object" && row !== null && "key" in row) cacheKeys.add(String(row.key))
  }
}
