// Reads one stored row of a mirrored table, every column as text. A redrive shows the columns that it changes, and
// compares the place of a dead letter with the row's guard.
import { CompiledQuery, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { MirroredTable } from "../projection/projection.ts"
import type { Value } from "../vocabulary/change.ts"

export type StoredRow = {
  deleted: boolean
  guardCommitLsn: bigint
  guardLsn: bigint
  xid: bigint | null
  /** Values by column, key columns too; a deleted row has its key only. */
  columns: ReadonlyMap<string, string | null>
}

const rowShape = z.object({
  deleted: z.boolean(),
  guard_commit_lsn: z.bigint(),
  guard_lsn: z.bigint(),
  xid: z.bigint().nullable(),
  columns: z.array(z.string().nullable()),
})

/** Null when there is no row with this key, not even a deleted row. */
export async function readStoredRow(
  trx: Transaction<QueryDatabase>,
  schema: string,
  table: MirroredTable,
  key: readonly Value[],
): Promise<StoredRow | null> {
  const names = [...table.key, ...table.columns].map(({ name }) => name)
  const where = table.key.map(({ name, type }, index) => `${quoted(name)} = $${index + 1}::${type}`)
  const { rows } = await trx.executeQuery(
    CompiledQuery.raw(
      `select deleted, guard_commit_lsn, guard_lsn, xid, array[${names.map((name) => `${quoted(name)}::text`).join(", ")}] as columns
       from ${quoted(schema)}.${quoted(table.name)} where ${where.join(" and ")} for update`,
      [...key],
    ),
  )
  if (rows.length === 0) return null
  const row = rowShape.parse(rows[0])
  return {
    deleted: row.deleted,
    guardCommitLsn: row.guard_commit_lsn,
    guardLsn: row.guard_lsn,
    xid: row.xid,
    columns: new Map(names.map((name, index) => [name, row.columns[index] ?? null])),
  }
}

/** The columns that differ, with their values as text; null where there is no value. */
export type Difference = Record<string, { before: string | null; after: string | null }>

export function differenceOf(before: StoredRow | null, after: StoredRow | null): Difference {
  const [was, is] = [before, after].map((row) => (row === null || row.deleted ? null : row.columns))
  const difference: Difference = {}
  for (const name of (is ?? was ?? new Map<string, string | null>()).keys()) {
    const change = { before: was?.get(name) ?? null, after: is?.get(name) ?? null }
    if (change.before !== change.after) difference[name] = change
  }
  return difference
}
