// The evidence that the read side holds no personal data of a customer, or a count of the rows that still do. The search
// covers every generation, the dead letters and the cache. Data that only Kafka still holds ends with the retention of
// its topics.
import { CompiledQuery, type Kysely, sql } from "kysely"
import { z } from "zod"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { quoted } from "../../db/sql-names.ts"
import { deadLettersOfSubjects } from "../cdc/apply/erasure.ts"
import { findLiveGeneration } from "../cdc/generations/generations.ts"
import { erasure, personalColumns } from "../orders/personal-data.ts"

export type TableReport = { generation: number; table: string; rows: number; holding: number }

export type ErasureReport = {
  /** Null: up to the read side's position the customer is not erased. */
  erasedAt: string | null
  isKnown: boolean
  /** Commit LSN of the erasure: an answer from before this LSN may show personal data. */
  erasedLsn: bigint | null
  orders: string[]
  tables: TableReport[]
  deadLetters: {
    /** Dead letters of the customer's rows, settled dead letters too. */
    entries: number
    holding: number
    /** Dead letters that name no row, so that nobody can say to which customer they belong. */
    ofUnknownRows: number
  }
}

/** Null when no generation serves. */
export async function readErasureReport(
  db: Kysely<QueryDatabase>,
  source: string,
  customerId: string,
): Promise<ErasureReport | null> {
  const live = await findLiveGeneration(db, source)
  if (!live) return null
  const { rows: known } = await sql<{ erased_at: string | null; lsn: bigint }>`
    select to_char(erased_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as erased_at,
      guard_commit_lsn as lsn
    from ${sql.table(`${live.schema}.customers`)} where id = ${customerId} and not deleted`.execute(db)
  const { rows: orders } = await sql<{ id: string }>`
    select id from ${sql.table(`${live.schema}.orders`)} where customer_id = ${customerId} order by id`.execute(
    db,
  )
  const ids = orders.map(({ id }) => id)
  return {
    erasedAt: known[0]?.erased_at ?? null,
    isKnown: known.length > 0,
    erasedLsn: known[0]?.erased_at ? known[0].lsn : null,
    orders: ids,
    tables: await readTables(db, source, customerId, ids),
    deadLetters: await readDeadLetters(db, source, live.schema, customerId),
  }
}

/** Every table with personal columns, in every generation whose schema exists. */
async function readTables(
  db: Kysely<QueryDatabase>,
  source: string,
  customerId: string,
  orders: readonly string[],
): Promise<TableReport[]> {
  const { rows: tables } = await sql<{ generation: number; schemaname: string; tablename: string }>`
    select g.generation, t.schemaname, t.tablename from cdc.generations g
    join pg_tables t on t.schemaname = g.schema_name
    where g.source = ${source} and t.tablename in (${sql.join(Object.keys(personalColumns))})
    order by g.generation, t.tablename`.execute(db)
  const reports: TableReport[] = []
  for (const { generation, schemaname, tablename: table } of tables) {
    const key = table === "customers" || table === "orders" ? "id" : "order_id"
    const { rows } = await sql<{ rows: number; holding: number }>`
      select count(*)::integer as rows, (count(*) filter (where ${sql.raw(isHolding(table))}))::integer as holding
      from ${sql.table(`${schemaname}.${table}`)}
      where ${sql.ref(key)} = any(${table === "customers" ? [customerId] : [...orders]}::text[])`.execute(db)
    reports.push({ generation, table, rows: rows[0]?.rows ?? 0, holding: rows[0]?.holding ?? 0 })
  }
  return reports
}

/** The condition that a row holds personal data. An erased customer's name and e-mail address are nobody's. */
function isHolding(table: string): string {
  const columns = personalColumns[table] ?? []
  const nobodys: Record<string, string> =
    table === "customers" ? { name: "'Erased'", email: "id || '@erased.invalid'" } : {}
  return columns.map((name) => `${quoted(name)} is distinct from ${nobodys[name] ?? "null"}`).join(" or ")
}

const counts = z.object({ entries: z.number(), holding: z.number(), unknown: z.number() })

async function readDeadLetters(
  db: Kysely<QueryDatabase>,
  source: string,
  schema: string,
  customerId: string,
): Promise<ErasureReport["deadLetters"]> {
  const { rows } = await db.executeQuery(
    CompiledQuery.raw(
      `with ${deadLettersOfSubjects(erasure, schema)}
       select count(*)::integer as entries,
         (count(*) filter (where has_bytes and (state <> 'parked' or is_unreadable or is_followed)))::integer as holding,
         (select count(*)::integer from cdc.dead_letters d
          where d.source = $2 and d.row_key is null and d.record_value is not null
            and d.id not in (select id from entries)) as unknown
       from entries`,
      [[customerId], source],
    ),
  )
  const { entries, holding, unknown } = counts.parse(rows[0])
  return { entries, holding, ofUnknownRows: unknown }
}
