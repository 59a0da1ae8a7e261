// Part of a redrive: whether a row is of a subject whose personal data was erased at the source. A dead letter from
// before the erasure must not bring the data back, even if the change that removed it from the row is a dead letter.
import { CompiledQuery, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { DeadLetterRow } from "../dead-letters/dead-letter-row.ts"
import type { Projections } from "../projection/projection.ts"
import type { Difference } from "../rows/stored-row.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { type Lsn, toLsn } from "../vocabulary/lsn.ts"

export type ErasedOwner = { subject: string; erasedAt: Lsn }

const ownerShape = z.object({ subject: z.string(), erased_at: z.bigint() })

/** The erased subjects that these rows belong to. */
export async function findErasedOwners(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: { projections: Projections; schema: string },
  rows: readonly DeadLetterRow[],
): Promise<ErasedOwner[]> {
  const { erasure, tables } = projections
  const key = tables.find(({ name }) => name === erasure?.table)?.key[0]
  if (!erasure || !key) return []
  const erased = `select ${quoted(key.name)}::text as subject, guard_commit_lsn as erased_at
    from ${quoted(schema)}.${quoted(erasure.table)} where ${quoted(erasure.column)} is not null and not deleted`
  const isOf = (subjects: string): string => `exists (
    select from (${erasure.rows(quoted(schema), subjects)}) theirs (table_name, aggregate)
    join unnest($1::text[], $2::text[]) parked (table_name, aggregate) using (table_name, aggregate))`
  // The first condition asks about all erased subjects together: most rows belong to no erased subject.
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

/** @throws EngineError if a dead letter from before the erasure has put personal data into its row. */
export function assertNothingBack(
  { erasure }: Projections,
  owners: readonly ErasedOwner[],
  { table, place }: DeadLetterRow,
  difference: Difference,
): void {
  if (!erasure || !owners.some(({ erasedAt }) => place.commitLsn <= erasedAt)) return
  const back = erasure.personal[table.name]?.filter((column) => (difference[column]?.after ?? null) !== null)
  if (!back || back.length === 0) return
  throw new EngineError(
    "erased-since",
    `This dead letter would bring back ${back.join(", ")} of a person whose data was erased since. Redrive the later dead letters of the row first, or discard this one.`,
  )
}
