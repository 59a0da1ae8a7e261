// Part of the projection kit: rows as text, column by column, so that what is stored, what the source has and what a
// test expects can be compared however each was written. Postgres itself turns values into their text.
import type pg from "pg"
import { quoted } from "../../../db/sql-names.ts"
import type { ColumnType } from "../../../query/cdc/projection/columns.ts"
import type { DerivedModel, Projections, RecomputedModel } from "../../../query/cdc/projection/projection.ts"
import { decodedValue, type Values } from "./given-changes.ts"

/** Values as Postgres shows them, by column. */
export type ShownRow = Readonly<Record<string, string | null>>
export type ShownColumn = { name: string; type: ColumnType }

/** The columns of a table that readers see. @throws Error when there is no such table. */
export function columnsOf({ tables, derived, recomputed }: Projections, table: string): ShownColumn[] {
  const mirrored = tables.find(({ name }) => name === table)
  if (mirrored) return [...mirrored.key, ...mirrored.columns]
  const entities = recomputed.find(({ name }) => name === table)
  if (entities) return [...entities.key, ...entities.columns]
  const model = derived.find(({ name }) => name === table)
  if (!model) throw new Error(`the projections have no ${table}`)
  return [...model.groupBy, ...model.sums.map((name) => ({ name, type: "bigint" as const }))]
}

/** Living rows of a mirrored table, or the rows of a derived model. */
export const readRows = (
  pool: pg.Pool,
  schema: string,
  table: string,
  columns: readonly ShownColumn[],
  isMirrored: boolean,
): Promise<ShownRow[]> =>
  show(pool, `${schema}.${quoted(table)} ${isMirrored ? "where not deleted" : ""}`, columns)

/** What a derived model should hold: its own SQL over all rows. */
export function recompute(
  pool: pg.Pool,
  schema: string,
  model: DerivedModel,
  columns: readonly ShownColumn[],
): Promise<ShownRow[]> {
  const groups = model.groupBy.map(({ name }) => quoted(name))
  const sums = model.sums.map((name) => `trim_scale(${quoted(name)}::numeric) as ${quoted(name)}`)
  const isSomething = model.sums.map((name) => `${quoted(name)} <> 0`).join(" or ")
  // As they are: a sum that is not whole would be rounded where it is stored.
  const exact = columns.map(
    ({ name, type }): ShownColumn => ({ name, type: model.sums.includes(name) ? "numeric" : type }),
  )
  const computed = `(select ${[...groups, ...sums].join(", ")} from (${model.contribution(schema, null)}) contribution)`
  return show(pool, `${computed} computed where ${isSomething}`, exact)
}

/** What a recomputed model should hold: its own SQL over all rows. */
export const recomputeAll = (
  pool: pg.Pool,
  schema: string,
  model: RecomputedModel,
  columns: readonly ShownColumn[],
): Promise<ShownRow[]> => show(pool, `(${model.rows(schema, null)}) computed`, columns)

/** Given values as they would be shown from a table. */
export function showGiven(
  pool: pg.Pool,
  rows: readonly Values[],
  columns: readonly ShownColumn[],
): Promise<ShownRow[]> {
  const parameters = columns.map((column) =>
    rows.map((row) => decodedValue(column, row[column.name])?.toString() ?? null),
  )
  const names = columns.map(({ name }) => quoted(name)).join(", ")
  const given = columns.map((_, index) => `$${index + 1}::text[]`).join(", ")
  return show(pool, `unnest(${given}) as given (${names})`, columns, parameters)
}

async function show(
  pool: pg.Pool,
  from: string,
  columns: readonly ShownColumn[],
  parameters: readonly (readonly (string | null)[])[] = [],
): Promise<ShownRow[]> {
  const texts = columns.map(({ name, type }) => `${quoted(name)}::${type}::text`)
  const client = await pool.connect()
  try {
    await client.query("set timezone to 'UTC'")
    const named = texts.map((text, index) => `${text} as ${quoted(columns[index]?.name ?? "")}`)
    const { rows } = await client.query<ShownRow>(`select ${named.join(", ")} from ${from}`, [...parameters])
    return rows.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  } finally {
    client.release()
  }
}
