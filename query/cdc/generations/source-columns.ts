// Part of the base load: whether the source's columns are what the projections say. A stream cannot tell a numeric
// from a text, nor a bytea that equals the placeholder from one that was not sent, so what would be ambiguous there
// is found here, before a row is copied, and refused with what to do.
import type pg from "pg"
import { quoted } from "../../../db/sql-names.ts"
import { columnForms } from "../projection/column-forms.ts"
import type { Column } from "../projection/columns.ts"
import type { MirroredTable } from "../projection/projection.ts"
import { storablePlaceholder } from "../projection/unavailable-value.ts"
import { EngineError } from "../vocabulary/errors.ts"

/** A column of the source: a domain counts as what it is made of, any enum as `enum`. */
type SourceColumn = { name: string; type: string; checks: string }

/** @throws EngineError (halt) naming the table and column, and the statement that helps where there is one. */
export async function assertSourceColumns(
  session: pg.ClientBase,
  tables: readonly MirroredTable[],
): Promise<void> {
  for (const table of tables) {
    const found = await readColumns(session, table.name)
    for (const column of [...table.key, ...table.columns]) {
      assertColumn(table.name, column, found.get(column.name))
      if (column.type.endsWith("[]")) await assertOneDimension(session, table.name, column)
    }
  }
}

async function readColumns(session: pg.ClientBase, table: string): Promise<Map<string, SourceColumn>> {
  const { rows } = await session.query<SourceColumn>(
    `with recursive typed as (
       select a.attrelid, a.attnum, a.attname, a.atttypid as type from pg_attribute a
       where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
       union all
       select c.attrelid, c.attnum, c.attname, t.typbasetype from typed c
       join pg_type t on t.oid = c.type where t.typtype = 'd'
     )
     select c.attname as name, case t.typtype when 'e' then 'enum' else format_type(t.oid, null) end as type,
       coalesce((select string_agg(pg_get_constraintdef(k.oid), ' ') from pg_constraint k
         where k.conrelid = c.attrelid and k.contype = 'c' and c.attnum = any(k.conkey)), '') as checks
     from typed c join pg_type t on t.oid = c.type where t.typtype <> 'd'`,
    [`public.${quoted(table)}`],
  )
  return new Map(rows.map((row) => [row.name, row]))
}

function assertColumn(table: string, { name, type }: Column, found: SourceColumn | undefined): void {
  const deploy = "Deploy a query service whose projections fit the table."
  if (!found) throw incompatible(table, `column ${name} is missing`, deploy)
  if (!columnForms[type].sources.includes(found.type)) {
    throw incompatible(table, `column ${name} is ${found.type}, not ${type}`, deploy)
  }
  const placeholder = storablePlaceholder(type)
  const digits = placeholder?.match(/[0-9a-f,]{20,}/)?.[0]
  if (digits === undefined || found.checks.replaceAll(" ", "").includes(digits)) return
  throw incompatible(
    table,
    `column ${name} may hold the value that stands for one that was not sent`,
    `Forbid it: alter table ${table} add check (${name} <> ${placeholder})`,
  )
}

/** The connector sends arrays of several dimensions as nulls, and no bounds at all. */
async function assertOneDimension(session: pg.ClientBase, table: string, { name }: Column): Promise<void> {
  const column = quoted(name)
  const { rows } = await session.query(
    `select from public.${quoted(table)} where array_ndims(${column}) > 1 or array_lower(${column}, 1) <> 1 limit 1`,
  )
  if (rows.length === 0) return
  throw incompatible(
    table,
    `column ${name} holds arrays of several dimensions or with other bounds than 1`,
    `The connector cannot send them: alter table ${table} add check (array_ndims(${name}) = 1 and array_lower(${name}, 1) = 1)`,
  )
}

const incompatible = (table: string, what: string, nextStep: string): EngineError =>
  new EngineError(
    "incompatible-schema",
    `The source's table ${table} does not fit the projections: ${what}.`,
    { nextStep, detail: { table } },
  )
