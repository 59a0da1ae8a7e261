// What is listed is what a request with the same choice would work on: `dlq discard --dry-run` shows the one and the
// projector does the other.
import type { Kysely } from "kysely"
import { afterAll, beforeAll, expect, test } from "vitest"
import { createDatabase, createPool } from "../../../db/connect.ts"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import {
  chooseDeadLetters,
  type DeadLetterFilter,
} from "../../../query/cdc/dead-letters/stored-dead-letter.ts"
import { listDeadLetters } from "../../../query/cli/dlq-read.ts"
import { createQueryDatabase, type TestDatabase } from "../../support/databases.ts"

let database: TestDatabase
let db: Kysely<QueryDatabase>
/** Ids of the entries, by the key of their row. */
const ids = new Map<string, string>()

const parked = [
  { table: "order_items", code: "bad-row", key: ["o1", "2"] },
  { table: "order_items", code: "undecodable-record", key: ["2", "1"] },
  { table: "orders", code: "bad-row", key: ["o1"] },
  { table: "orders", code: "undecodable-record", key: null },
]

beforeAll(async () => {
  database = await createQueryDatabase("dlq_read")
  db = createDatabase<QueryDatabase>(
    createPool({ url: database.urlAs("projector"), applicationName: "test", maxConnections: 1 }),
  )
  const entries = await db
    .insertInto("cdc.dead_letters")
    .values(
      parked.map(({ table, code, key }, index) => ({
        source: "orders",
        generation: 1,
        topic: `ecommerce.public.${table}`,
        partition: 0,
        kafka_offset: BigInt(index),
        record_key: null,
        record_value: null,
        record_headers: "{}",
        table_name: table,
        row_key: key,
        xid: null,
        lsn: null,
        commit_lsn: null,
        is_placed: true,
        code,
        message: "refused",
        last_error: null,
        last_request: null,
        resolved_at: null,
        published_at: null,
      })),
    )
    .returning(["id", "row_key"])
    .execute()
  for (const { id, row_key } of entries) ids.set(row_key?.join() ?? "unknown", String(id))
})

afterAll(async () => {
  await db?.destroy()
  await database?.drop()
})

test.each<{ choice: string; filter: () => DeadLetterFilter; rows: string[] }>([
  { choice: "nothing", filter: () => ({}), rows: ["o1,2", "2,1", "o1", "unknown"] },
  { choice: "an id", filter: () => ({ ids: [ids.get("o1") ?? ""] }), rows: ["o1"] },
  { choice: "a table", filter: () => ({ table: "orders" }), rows: ["o1", "unknown"] },
  { choice: "a code", filter: () => ({ code: "bad-row" }), rows: ["o1,2", "o1"] },
  { choice: "an aggregate", filter: () => ({ aggregate: "o1" }), rows: ["o1,2", "o1"] },
  {
    choice: "an aggregate that is another's line",
    filter: () => ({ aggregate: "2" }),
    rows: ["2,1"],
  },
  {
    choice: "several at once",
    filter: () => ({ table: "order_items", aggregate: "o1", code: "bad-row" }),
    rows: ["o1,2"],
  },
])("choosing $choice lists what is worked on", async ({ filter, rows }) => {
  const expected = rows.map((key) => ids.get(key))
  const listed = await listDeadLetters(db, "orders", { ...filter(), state: "parked", limit: 100 })
  expect(listed.entries.map(({ id }) => id)).toEqual(expected)
  expect(listed.total).toBe(rows.length)
  const chosen = await chooseDeadLetters(db, { source: "orders", generation: 1 }, filter(), null)
  expect(chosen.map(String)).toEqual(expected)
})
