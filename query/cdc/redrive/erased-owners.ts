// Part of a redrive: whether a row is of somebody whose personal data was erased at the source. A parked change from
// before that must not bring any of it back, also where the change that removed it from this row is parked itself.
import { CompiledQuery, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { ParkedRow } from "../dead-letters/parked-row.ts"
import type { Projections } from "../projection/projection.ts"
import type { Difference } from "../rows/stored-row.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"

export type ErasedOwner = { subject: string; erasedAt: Lsn }

const ownerShape = z.object({ subject: z.string(), erased_at: z.bigint() })

/** Those of whom these rows are, of all who are erased by now. */
export async function findErasedOwners(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: { projections: Projections; schema: string },
  rows: readonly ParkedRow[],
): Promise<ErasedOwner[]> {
  const { erasure, tables } = projections
  const key = tables.find(({ name }) => name === erasure?.table)?.key[0]
  if (!erasure || !key) return []
  const erased = `select ${quoted(key.name)}::text as subject, guard_commit_lsn as erased_at
    from ${quoted(schema)}.${quoted(erasure.table)} where ${quoted(erasure.column)} is not null and not deleted`
  const isOf = (subjects: string): string => `exists (
    select from (${erasure.rows(quoted(schema), subjects)}) theirs (table_name, aggregate)
    join unnest($1::text[], $2::text[]) parked (table_name, aggregate) using (table_name, aggregate))`
  // Asked of all together first: the rows of most are of nobody who is erased.
  const { rows: found } = await trx.executeQuery(
    CompiledQuery.raw(
      `select subject, erased_at from (${erased}) erased
       where (select ${isOf(`array(select subject from (${erased}) every_one)`)}) and ${isOf("array[subject]")}`,
      [rows.map(({ table }) => table.name), rows.map(({ record: { change } }) => String(change.key[0]))],
    ),
  )
  return found.map((row) => {
    const { subject, erased_at } = ownerShape.parse(row)
    return { subject, erasedAt: toLsn(erased_at) }
  })
}

/** @throws EngineError if the change of a row, from before the erasure, has put something personal into it. */
export function assertNothingBack(
  { erasure }: Projections,
  owners: readonly ErasedOwner[],
  { table, place }: ParkedRow,
  difference: Difference,
): void {
  if (!erasure || !owners.some(({ erasedAt }) => place.commitLsn <= erasedAt)) return
  const back = erasure.personal[table.name]?.filter((column) => (difference[column]?.after ?? null) !== null)
  if (!back || back.length === 0) return
  throw new EngineError(
    "erased-since",
    `It would bring back ${back.join(", ")} of somebody whose personal data was erased since. Redrive the later changes of the row first, or discard it.`,
  )
}
