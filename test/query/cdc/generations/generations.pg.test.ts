// A generation's tables follow from the projections; it serves only once it is switched to, and what does not serve
// can be dropped.
import type { Kysely } from "kysely"
import pg from "pg"
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest"
import { createDatabase, createPool } from "../../../../db/connect.ts"
import type { QueryDatabase } from "../../../../db/query-schema.ts"
import {
  beginGeneration,
  deriveGeneration,
  dropIdleGenerations,
  findLiveGeneration,
  type Generation,
  indexGeneration,
  switchGeneration,
} from "../../../../query/cdc/generations/generations.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { createQueryDatabase, type TestDatabase } from "../../../support/databases.ts"

const source = "orders"
let database: TestDatabase
let admin: pg.Pool
let db: Kysely<QueryDatabase>
const lease = { source, leaseEpoch: 1n }

beforeAll(async () => {
  database = await createQueryDatabase("generations")
  admin = new pg.Pool({ connectionString: database.adminUrl, max: 2 })
  db = createDatabase<QueryDatabase>(
    createPool({ url: database.urlAs("projector"), applicationName: "test", maxConnections: 4 }),
  )
  await admin.query(
    "insert into cdc.sources (source, epoch, system_identifier, timeline) values ('orders', 1, '1', 1)",
  )
})
beforeEach(async () => {
  await takeLease("test", 1n)
  await admin.query("update cdc.sources set live_generation = null")
  await admin.query("update cdc.generations set state = 'retired'")
  await dropIdleGenerations(db, lease)
})
afterAll(async () => {
  await db?.destroy()
  await admin?.end()
  await database?.drop()
})

const takeLease = (holder: string, leaseEpoch: bigint) =>
  admin.query(
    `insert into cdc.leases values ('orders', $1, $2, now() + interval '1 hour')
     on conflict (source) do update set holder = excluded.holder, lease_epoch = excluded.lease_epoch`,
    [holder, leaseEpoch],
  )
const begin = (): Promise<Generation> => beginGeneration(db, lease, orderProjections)
const switchTo = (generation: Generation) =>
  db.transaction().execute((trx) => switchGeneration(trx, generation))

const schemas = async (): Promise<string[]> =>
  (await admin.query("select nspname from pg_namespace where nspname like 'read%' order by 1")).rows.map(
    ({ nspname }) => nspname,
  )
const states = async (): Promise<string[]> =>
  (await admin.query("select state from cdc.generations order by generation")).rows.map(({ state }) => state)

test("its tables have the projection's columns with their types, and the engine's own", async () => {
  const { schema } = await begin()
  const { rows } = await admin.query(
    `select column_name || ' ' || data_type || case is_nullable when 'NO' then ' not null' else '' end as shown
     from information_schema.columns where table_schema = $1 and table_name = 'order_items' order by ordinal_position`,
    [schema],
  )
  expect(rows.map(({ shown }) => shown)).toEqual([
    "order_id text not null",
    "line integer not null",
    "product_id text",
    "quantity integer",
    "unit_price_minor bigint",
    "reserved_quantity integer",
    "shipped_quantity integer",
    "created_at timestamp with time zone",
    "updated_at timestamp with time zone",
    "deleted boolean not null",
    "guard_epoch integer",
    "guard_commit_lsn bigint",
    "guard_lsn bigint",
    "xid bigint",
    "kafka_partition integer",
    "kafka_offset bigint",
  ])
})

test("indexed, every table has its key, and no other constraint that a row could break", async () => {
  const { schema } = await begin()
  await indexGeneration(db, schema, orderProjections)
  const { rows } = await admin.query(
    `select conrelid::regclass::text as table, contype as type from pg_constraint
     where connamespace = $1::regnamespace and contype <> 'n' order by 1`,
    [schema],
  )
  const tables = [
    ...orderProjections.tables,
    ...orderProjections.derived,
    ...orderProjections.recomputed,
  ].map(({ name }) => `${schema}.${name}`)
  expect(rows).toEqual(tables.sort().map((table) => ({ table, type: "p" })))
})

test("derived models are computed once over all rows", async () => {
  const { schema } = await begin()
  await admin.query(`
    insert into ${schema}.orders (id, customer_id, status, currency, subtotal_minor, discount_minor, total_minor, created_at, deleted)
    values ('o1', 'c1', 'draft', 'USD', 100, 10, 90, '2025-01-01 00:07:00+00', false),
           ('o2', 'c1', 'cancelled', 'USD', 50, 0, 50, '2025-01-01 00:08:00+00', false),
           ('o3', 'c1', 'draft', 'USD', 7, 0, 7, '2025-01-01 00:08:00+00', true)`)
  await deriveGeneration(db, schema, orderProjections)
  const { rows } = await admin.query(
    `select customer_id, orders::int, total_minor::int, cancelled::int from ${schema}.customer_totals`,
  )
  expect(rows).toEqual([{ customer_id: "c1", orders: 1, total_minor: 90, cancelled: 1 }])
})

test("readers may select from it and nothing else", async () => {
  const { schema } = await begin()
  const reader = new pg.Pool({ connectionString: database.urlAs("reader"), max: 1 })
  try {
    expect((await reader.query(`select count(*)::int from ${schema}.orders`)).rows).toEqual([{ count: 0 }])
    for (const write of [
      `delete from ${schema}.orders`,
      `drop table ${schema}.orders`,
      `insert into ${schema}.customers (id, deleted) values ('c', false)`,
    ]) {
      await expect(reader.query(write)).rejects.toThrow(/permission denied|must be owner/)
    }
  } finally {
    await reader.end()
  }
})

test("it serves from the switch on, and the one before it is retired", async () => {
  const first = await begin()
  expect(await findLiveGeneration(db, source)).toBeNull()
  await switchTo(first)
  expect(await findLiveGeneration(db, source)).toEqual(first)
  const second = await begin()
  expect(await findLiveGeneration(db, source)).toEqual(first)
  await switchTo(second)
  expect(await findLiveGeneration(db, source)).toEqual(second)
  expect(await states()).toEqual(["retired", "live"])
  expect(second.generation).toBe(first.generation + 1)
})

test("a switch that is rolled back changes nothing", async () => {
  const first = await begin()
  await switchTo(first)
  const second = await begin()
  const failing = db.transaction().execute(async (trx) => {
    await switchGeneration(trx, second)
    throw new Error("stopped")
  })
  await expect(failing).rejects.toThrow("stopped")
  expect(await findLiveGeneration(db, source)).toEqual(first)
  expect(await states()).toEqual(["live", "loading"])
})

test("what does not serve is dropped, with its progress and offsets; what serves is not", async () => {
  const retired = await begin()
  await switchTo(retired)
  const live = await begin()
  await switchTo(live)
  const interrupted = await begin()
  for (const { generation } of [retired, live, interrupted]) {
    await admin.query(
      `insert into cdc.progress (source, generation, lease_epoch, position, base_lsn, last_end, last_end_offset)
       values ('orders', $1, 1, 1, 1, 1, 1)`,
      [generation],
    )
    await admin.query("insert into cdc.resume_offsets values ('orders', $1, 't', 0, 1)", [generation])
  }
  await dropIdleGenerations(db, lease)
  expect(await schemas()).toEqual([live.schema])
  for (const table of ["cdc.generations", "cdc.progress", "cdc.resume_offsets"]) {
    const { rows } = await admin.query(`select generation from ${table} where source = 'orders'`)
    expect(rows, table).toEqual([{ generation: live.generation }])
  }
  await dropIdleGenerations(db, lease)
  expect(await schemas()).toEqual([live.schema])
  await admin.query("delete from cdc.progress")
  await admin.query("delete from cdc.resume_offsets")
})

test("who has lost the lease neither begins nor removes anything", async () => {
  const loading = await begin()
  await takeLease("another", 2n)
  const refused = { code: "apply-conflict", disposition: "retry" }
  await expect(begin()).rejects.toMatchObject(refused)
  await expect(dropIdleGenerations(db, lease)).rejects.toMatchObject(refused)
  expect(await schemas()).toEqual([loading.schema])
  expect((await admin.query(`select count(*)::int from ${loading.schema}.orders`)).rows).toEqual([
    { count: 0 },
  ])
})

test("a number is never given twice, not even to another source", async () => {
  const first = await begin()
  await dropIdleGenerations(db, lease)
  await admin.query("insert into cdc.leases values ('stock', 'test', 1, now() + interval '1 hour')")
  const other = await beginGeneration(db, { source: "stock", leaseEpoch: 1n }, orderProjections)
  const second = await begin()
  expect([other.generation, second.generation]).toEqual([first.generation + 1, first.generation + 2])
  expect(await schemas()).toEqual([other.schema, second.schema].sort())
})
