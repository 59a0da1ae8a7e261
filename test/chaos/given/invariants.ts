// The invariants, as SQL over both databases. EQ: the mirrored tables hold exactly the source's rows. SUM: every
// derived model equals the same sums computed from the write tables.

import type pg from "pg"
import { quoted } from "../../../db/sql-names.ts"
import type { Projections } from "../../../query/cdc/projection/projection.ts"
import { orderProjections } from "../../../query/orders/projections.ts"

/** Rows as text on both sides, with what only one of them has. Both lists are empty when the sides are equal. */
export type Difference = { table: string; onlyInSource: string[]; onlyInReads: string[] }

/** Compares all mirrored tables and derived models of a read schema with the write tables. */
export async function findDifferences(
  source: pg.Pool,
  reads: pg.Pool,
  schema: string,
  projections: Projections = orderProjections,
): Promise<Difference[]> {
  const differences: Difference[] = []
  for (const { table, inSource, inReads } of comparable(schema, projections)) {
    const [left, right] = await Promise.all([readRows(source, inSource), readRows(reads, inReads)])
    differences.push({
      table,
      onlyInSource: [...left].filter((row) => !right.has(row)),
      onlyInReads: [...right].filter((row) => !left.has(row)),
    })
  }
  return differences.filter((found) => found.onlyInSource.length > 0 || found.onlyInReads.length > 0)
}

/** The same by number and checksum of the rows, for tables that are too large to be fetched: names those that differ. */
export async function findDigestDifferences(
  source: pg.Pool,
  reads: pg.Pool,
  schema: string,
): Promise<string[]> {
  const different: string[] = []
  for (const { table, inSource, inReads } of comparable(schema, orderProjections)) {
    const digest = (rows: string) =>
      `select count(*) || ' rows, ' || coalesce(sum(hashtextextended(row, 0)), 0) as row from (${rows}) r`
    const [[left], [right]] = await Promise.all([
      readRows(source, digest(inSource)),
      readRows(reads, digest(inReads)),
    ])
    if (left !== right) different.push(`${table}: ${left} in the source, ${right} in the read models`)
  }
  return different
}

/** Per table or model two selects of its rows as text: from the write tables and from the read models. */
function comparable(
  schema: string,
  projections: Projections,
): { table: string; inSource: string; inReads: string }[] {
  const rows = (columns: readonly string[], from: string) =>
    `select to_jsonb(r)::text as row from (select ${columns.join(", ")} from ${from}) r`
  const tables = projections.tables.map(({ name, key, columns }) => {
    // As JSON every type is exact but json itself, of which nothing but the text is.
    const names = [...key, ...columns].map(({ name, type }) =>
      type === "json" ? `${quoted(name)}::text` : quoted(name),
    )
    return {
      table: name,
      inSource: rows(names, `public.${name}`),
      inReads: rows(names, `${schema}.${name} where not deleted`),
    }
  })
  const models = projections.derived.map(({ name, groupBy, sums, contribution }) => {
    const names = [
      ...groupBy.map((column) => quoted(column.name)),
      ...sums.map((sum) => `${quoted(sum)}::bigint`),
    ]
    return {
      table: name,
      // The write tables have no soft deletes, so the contribution is computed over views that add the column.
      inSource: rows(names, `(${contribution("as_mirrored", null)}) c`),
      inReads: rows(names, `${schema}.${name}`),
    }
  })
  const recomputed = projections.recomputed.map(({ name, key, columns, rows: select }) => {
    const names = [...key, ...columns].map((column) => quoted(column.name))
    return {
      table: name,
      inSource: rows(names, `(${select("as_mirrored", null)}) c`),
      inReads: rows(names, `${schema}.${name}`),
    }
  })
  return [...tables, ...models, ...recomputed]
}

/** Views over the write tables in the shape of the mirrored ones, for recomputing derived models there. */
export async function createMirrorViews(
  source: pg.Pool,
  projections: Projections = orderProjections,
): Promise<void> {
  await source.query("create schema if not exists as_mirrored")
  for (const table of projections.tables) {
    await source.query(
      `create or replace view as_mirrored.${table.name} as select *, false as deleted from public.${table.name}`,
    )
  }
}

/** ACK: accepted commands that the read model does not show exactly once, by the last version of each order. */
export async function findUnacknowledged(
  reads: pg.Pool,
  schema: string,
  acknowledged: ReadonlyMap<string, number>,
): Promise<unknown[]> {
  const { rows } = await reads.query(
    `select a.id, a.version, o.version as shown, h.entries
     from unnest($1::text[], $2::integer[]) a (id, version)
     left join ${schema}.orders o on o.id = a.id and not o.deleted
     left join lateral (select count(*)::integer as entries, max(version) as last from ${schema}.order_events e
                        where e.order_id = a.id and not e.deleted) h on true
     where o.version is distinct from a.version or h.entries <> a.version or h.last <> a.version`,
    [[...acknowledged.keys()], [...acknowledged.values()]],
  )
  return rows
}

/** The one column of the rows, told in UTC. */
export async function readRows(pool: pg.Pool, sql: string): Promise<Set<string>> {
  const client = await pool.connect()
  try {
    await client.query("set timezone = 'UTC'")
    const { rows } = await client.query<{ row: string }>(sql)
    return new Set(rows.map(({ row }) => row))
  } finally {
    client.release()
  }
}
