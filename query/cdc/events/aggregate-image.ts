// Part of step 4 (apply): the image of an aggregate is its rows as they are stored. The images before and after a
// transaction are compared when the transaction changed the rows and recorded no event. An image of a very large
// aggregate has only the first rows of each table, so that memory stays bounded.
import { CompiledQuery, type Transaction } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { quoted } from "../../../db/sql-names.ts"
import type { Image, ImageRow, MirroredTable, Projections, RowDifference } from "../projection/projection.ts"

export type AggregateImage = { tables: Image; isWhole: boolean }

export const emptyImage: AggregateImage = { tables: {}, isWhole: true }

/** The most rows of one table in an image. */
const mostRows = 200

/** The images of the aggregates that have rows, by aggregate. */
export async function readImages(
  trx: Transaction<QueryDatabase>,
  { projections, schema }: { projections: Projections; schema: string },
  aggregates: readonly string[],
): Promise<Map<string, AggregateImage>> {
  const rows = new Map<string, Map<string, ImageRow[]>>()
  const cut = new Set<string>()
  if (aggregates.length === 0) return new Map()
  for (const table of imagedTables(projections)) {
    const names = columnNames(table)
    const { rows: found } = await trx.executeQuery(
      CompiledQuery.raw(imageStatement(schema, table), [aggregates]),
    )
    for (const found_ of found) {
      const { aggregate, values } = foundShape.parse(found_)
      const tables = rows.get(aggregate) ?? new Map<string, ImageRow[]>()
      rows.set(aggregate, tables)
      const ofTable = tables.get(table.name) ?? []
      tables.set(table.name, ofTable)
      if (ofTable.length === mostRows) cut.add(aggregate)
      else ofTable.push(Object.fromEntries(names.map((name, index) => [name, values[index] ?? null])))
    }
  }
  return new Map(
    [...rows].map(([aggregate, tables]) => [
      aggregate,
      { tables: Object.fromEntries(tables), isWhole: !cut.has(aggregate) },
    ]),
  )
}

const foundShape = z.object({ aggregate: z.string(), values: z.array(z.string().nullable()) })

const imageStatement = (schema: string, table: MirroredTable): string => {
  const [aggregate, ...rest] = table.key.map(({ name }) => quoted(name))
  const columns = [...rest, aggregate].join(", ")
  return `
    select ${aggregate}::text as aggregate, values from (
      select ${aggregate}, array[${columnNames(table)
        .map((name) => `${quoted(name)}::text`)
        .join(", ")}] as values,
        row_number() over (partition by ${aggregate} order by ${columns}) as nth
      from ${quoted(schema)}.${quoted(table.name)} where ${aggregate} = any($1::text[]) and not deleted
    ) rows where nth <= ${mostRows + 1} order by ${aggregate}, nth`
}

export const imagedTables = ({ outbox, tables }: Projections): MirroredTable[] =>
  tables.filter(({ name }) => outbox?.inferredFrom.includes(name))

export const columnNames = ({ key, columns }: MirroredTable): string[] =>
  [...key, ...columns].map(({ name }) => name)

/** The differences, table by table, row by row. */
export function differencesOf(projections: Projections, before: Image, after: Image): RowDifference[] {
  return imagedTables(projections).flatMap((table) => {
    const [, ...rest] = table.key.map(({ name }) => name)
    const keyOf = (row: ImageRow): string[] => rest.map((name) => row[name] ?? "")
    const byKey = (rows: readonly ImageRow[] = []) =>
      new Map(rows.map((row) => [JSON.stringify(keyOf(row)), row]))
    const was = byKey(before[table.name])
    const is = byKey(after[table.name])
    return [...new Set([...was.keys(), ...is.keys()])].flatMap((key): RowDifference[] => {
      const [old, now] = [was.get(key), is.get(key)]
      const row = now ?? old
      const columns = table.columns
        .map(({ name }) => name)
        .filter((name) => (old?.[name] ?? null) !== (now?.[name] ?? null))
      if (!row || (old && now && columns.length === 0)) return []
      const change = old ? (now ? "updated" : "deleted") : "inserted"
      return [{ table: table.name, key: keyOf(row), change, columns }]
    })
  })
}
