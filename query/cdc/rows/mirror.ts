// Step 4b of the flow: writes the folded rows of one mirrored table in one guarded statement.
// The guard (epoch, commit LSN, LSN) is compared as one value: a row never goes back, whatever is replayed.
// Deletes keep the row with its guard, so that nothing older can revive it, and no column but the key.
import { CompiledQuery, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import { columnForms } from "../projection/column-forms.ts"
import type { Column } from "../projection/columns.ts"
import { guardColumns } from "../projection/guard.ts"
import type { MirroredTable } from "../projection/projection.ts"
import { keyText, type Value } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { type PendingRow, StoredValue } from "./batch.ts"

/** @returns how many rows were written; a row refused by the guard (the stored one is newer) is not counted. */
export async function upsertRows(
  trx: Transaction<QueryDatabase>,
  schema: string,
  table: MirroredTable,
  epoch: number,
  rows: readonly PendingRow[],
): Promise<number> {
  await fillStoredValues(trx, schema, table, rows)
  const columns: unknown[][] = []
  const allColumns = [...table.key, ...table.columns]
  allColumns.forEach((_, index) => {
    columns.push(rows.map((row) => (row.values ? row.values[index] : (row.key[index] ?? null))))
  })
  columns.push(
    rows.map((row) => row.values === null),
    rows.map(() => epoch),
    rows.map((row) => row.commitLsn),
    rows.map((row) => row.lsn),
    rows.map((row) => row.xid),
    rows.map((row) => row.origin.partition),
    rows.map((row) => row.origin.offset),
  )
  const result = await trx.executeQuery(CompiledQuery.raw(upsertStatement(schema, table), columns))
  return Number(result.numAffectedRows ?? 0n)
}

const statements = new WeakMap<MirroredTable, { schema: string; text: string }>()

function upsertStatement(schema: string, table: MirroredTable): string {
  const known = statements.get(table)
  if (known?.schema === schema) return known.text
  const typed = [
    ...[...table.key, ...table.columns].map(({ name, type }) => ({
      name,
      type,
      parameter: columnForms[type].parameter,
    })),
    ...guardColumns.map(([name, type]) => ({ name, type, parameter: type })),
  ]
  const names = typed.map(({ name }) => quoted(name))
  const values = typed.map(({ type, parameter }, index) =>
    type === parameter ? `v${index}` : `v${index}::${type}`,
  )
  const key = table.key.map((column) => quoted(column.name))
  const assignments = names.filter((name) => !key.includes(name)).map((name) => `${name} = excluded.${name}`)
  const text = `
    insert into ${quoted(schema)}.${quoted(table.name)} as stored (${names.join(", ")})
    select ${values.join(", ")}
    from unnest(${typed.map(({ parameter }, index) => `$${index + 1}::${parameter}[]`).join(", ")})
      as changed (${typed.map((_, index) => `v${index}`).join(", ")})
    on conflict (${key.join(", ")}) do update set ${assignments.join(", ")}
    where (stored.guard_epoch, stored.guard_commit_lsn, stored.guard_lsn)
        < (excluded.guard_epoch, excluded.guard_commit_lsn, excluded.guard_lsn)`
  statements.set(table, { schema, text })
  return text
}

/** Reads the values that updates left alone from the rows as they are stored, and puts them in. */
async function fillStoredValues(
  trx: Transaction<QueryDatabase>,
  schema: string,
  table: MirroredTable,
  rows: readonly PendingRow[],
): Promise<void> {
  const wanted = new Map<string, readonly Value[]>()
  for (const row of rows) {
    for (const value of row.values ?? []) {
      if (value instanceof StoredValue) wanted.set(keyText(value.key), value.key)
    }
  }
  if (wanted.size === 0) return
  const stored = await readStoredRows(trx, schema, table, wanted)
  for (const row of rows) {
    row.values?.forEach((value, index) => {
      if (!(value instanceof StoredValue) || !row.values) return
      const source = stored.get(keyText(value.key))
      if (!source) throw missingStoredRow(table, row, value)
      row.values[index] = source[index] ?? null
    })
  }
}

const storedValues = z.array(z.string().nullable())

/** Of the wanted rows that are stored, the columns that may be unavailable: as text, which is the whole value. */
async function readStoredRows(
  trx: Transaction<QueryDatabase>,
  schema: string,
  table: MirroredTable,
  wanted: ReadonlyMap<string, readonly Value[]>,
): Promise<Map<string, Value[]>> {
  const pick = ({ name, mayBeUnavailable }: Column) =>
    mayBeUnavailable ? `stored.${quoted(name)}::text` : "null::text"
  const parameters = table.key.map(({ type }, index) => `$${index + 1}::${columnForms[type].parameter}[]`)
  // Qualified throughout: a table may have columns of any name.
  const parts = table.key.map((_, index) => `k${index}`)
  const isWanted = table.key.map(({ name }, index) => `stored.${quoted(name)} = wanted.k${index}`)
  const keys = [...wanted.values()]
  const result = await trx.executeQuery(
    CompiledQuery.raw(
      `select wanted.nth::integer as nth,
         to_json(array[${[...table.key, ...table.columns].map(pick).join(", ")}])::text as row
       from ${quoted(schema)}.${quoted(table.name)} stored
       join unnest(${parameters.join(", ")}) with ordinality as wanted (${parts.join(", ")}, nth)
         on ${isWanted.join(" and ")}
       where not stored.deleted`,
      table.key.map((_, index) => keys.map((key) => key[index])),
    ),
  )
  const ids = [...wanted.keys()]
  const stored = new Map<string, Value[]>()
  for (const row of result.rows) {
    if (typeof row !== "object" || row === null || !("row" in row) || !("nth" in row)) continue
    stored.set(ids[Number(row.nth) - 1] ?? "", storedValues.parse(JSON.parse(String(row.row))))
  }
  return stored
}

function missingStoredRow(table: MirroredTable, row: PendingRow, value: StoredValue): EngineError {
  return new EngineError(
    "missing-stored-value",
    `An update of ${table.name} leaves a value alone, but no row with key ${keyText(value.key)} is stored to take it from.`,
    {
      nextStep: "The read model has lost a row. Rebuild from a snapshot: npx lockstep projection rebuild.",
      detail: { table: table.name, key: keyText(row.key), xid: row.xid, offset: String(row.origin.offset) },
    },
  )
}
