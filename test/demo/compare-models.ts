// Whether the read models are what the write tables say: every mirrored table row by row, every derived model against
// SQL over the write tables that was written another way than the model's own.
import type pg from "pg"
import { orderProjections } from "../../query/orders/projections.ts"
import { readRows } from "../chaos/given/invariants.ts"
import { overTheSource } from "../query/orders/given/over-the-source.ts"

/** What was compared with what, and where both differ; no differences means equal. */
export type Comparison = { what: string; rows: number; differences: string[] }

const shownDifferences = 3

export async function compareModels(source: pg.Pool, reads: pg.Pool, schema: string): Promise<Comparison[]> {
  const compared: Comparison[] = []
  for (const { name, inSource, inReads } of comparable(schema)) {
    compared.push(await compareRows(name, { pool: source, sql: inSource }, { pool: reads, sql: inReads }))
  }
  return compared
}

type Side = { pool: pg.Pool; sql: string }

async function compareRows(what: string, source: Side, reads: Side): Promise<Comparison> {
  const [left, right] = await Promise.all([
    readRows(source.pool, source.sql),
    readRows(reads.pool, reads.sql),
  ])
  const missing = [...left].filter((row) => !right.has(row)).map((row) => `not in the read model: ${row}`)
  const extra = [...right].filter((row) => !left.has(row)).map((row) => `not in the write tables: ${row}`)
  return { what, rows: left.size, differences: summary([...missing, ...extra]) }
}

export function summary(differences: readonly string[]): string[] {
  const more = differences.length - shownDifferences
  return [...differences.slice(0, shownDifferences), ...(more > 0 ? [`and ${more} more`] : [])]
}

function comparable(schema: string): { name: string; inSource: string; inReads: string }[] {
  // As JSON every type is exact but json itself, of which only the text is.
  const asText = (columns: string, from: string) =>
    `select to_jsonb(r)::text as row from (select ${columns} from ${from}) r`
  const tables = orderProjections.tables.map(({ name, key, columns }) => {
    const list = [...key, ...columns]
      .map((column) => (column.type === "json" ? `"${column.name}"::text` : `"${column.name}"`))
      .join()
    return {
      name: `table ${name}`,
      inSource: asText(list, `public.${name}`),
      inReads: asText(list, `${schema}.${name} where not deleted`),
    }
  })
  const computed = overTheSource("public")
  const model = (name: string, columns: readonly string[]) => ({
    name: `model ${name}`,
    inSource: asText(columns.join(), `(${computed[name] ?? unknown(name)}) c`),
    inReads: asText(columns.join(), `${schema}.${name}`),
  })
  return [
    ...tables,
    ...orderProjections.derived.map(({ name, groupBy, sums }) =>
      model(name, [...groupBy.map((group) => group.name), ...sums.map((sum) => `${sum}::numeric`)]),
    ),
    ...orderProjections.recomputed.map(({ name, key, columns }) =>
      model(
        name,
        [...key, ...columns].map((column) => column.name),
      ),
    ),
  ]
}

function unknown(name: string): never {
  throw new Error(`nothing says what the model ${name} is over the write tables`)
}
