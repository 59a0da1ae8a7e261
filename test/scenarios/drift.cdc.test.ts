// SCENARIOS row 17: the source's tables change while it is written to. What the projections do not read may come and
// go; what they read exactly in another form goes on; anything else stops the projector before the first transaction
// that has such a record, with all before it applied, and says what, why and what next. The table in
// connectors/README.md ("What a schema change does") has a row for each case here, and the preflight warns of each.
import { beforeAll, expect, test } from "vitest"
import { createConnectClient } from "../../connectors/connect-client.ts"
import settings from "../../connectors/orders.json" with { type: "json" }
import { bigint, type Column, jsonb, longText } from "../../query/cdc/projection/columns.ts"
import type { Projections } from "../../query/cdc/projection/projection.ts"
import { loadConfig } from "../../query/config.ts"
import { orderProjections } from "../../query/orders/projections.ts"
import { connectorSettings, describeCapture } from "../../query/preflight/captured.ts"
import { preflight } from "../../query/preflight/preflight.ts"
import { start } from "../../query/start.ts"
import { createMirrorViews, type Difference, findDifferences } from "../chaos/given/invariants.ts"
import { readEndpoints } from "../stack/endpoints.ts"
import { rebuild } from "../support/rebuild.ts"
import { createTopics } from "../support/topics.ts"
import { waitFor } from "../support/wait.ts"
import { waitForHalt } from "./given/halts.ts"
import { givenScenario } from "./given/scenario.ts"

const { system, client } = givenScenario("drift")
/** An order with a payment, and its id. */
let order: string
let id: string
const connect = () => createConnectClient({ url: readEndpoints().connectUrl })

beforeAll(async () => {
  order = await client.placeOrder(2)
  id = order.slice("/orders/".length)
  // What would keep a migration from changing the table as freely as the cases below.
  await run("alter table refunds drop constraint refunds_order_id_payment_fkey")
  await run(`insert into payments (order_id, payment, status, amount_minor, currency, provider, provider_reference)
    values ('${id}', 1, 'captured', 5998, 'USD', 'test', 'ref-1'), ('${id}', 2, 'failed', 5998, 'USD', 'test', 'ref-2')`)
  await system.caughtUp()
})

const run = async (...statements: string[]): Promise<void> => {
  for (const statement of statements) await system.source.query(statement)
}

async function generation(): Promise<{ generation: number; version: string }> {
  const { rows } = await system.reads.query<{ generation: number; version: string }>(
    "select generation, projection_version as version from cdc.generations where state = 'live'",
  )
  return rows[0] ?? expect.unreachable("no generation serves")
}

/** EQ and SUM at the position that holds everything committed so far. */
async function differences(projections?: Projections): Promise<Difference[]> {
  await system.caughtUp(20_000)
  await createMirrorViews(system.source)
  try {
    return await findDifferences(system.source, system.reads, await system.liveSchema(), projections)
  } finally {
    // A view would forbid the next change of a column.
    await run("drop schema as_mirrored cascade")
  }
}

/** Writes to several tables all the while, as an application would that does not know of any change. */
function startWrites(): { stop: () => Promise<number> } {
  let running = true
  let transactions = 0
  const writing = (async () => {
    while (running) {
      await run(`with touched as (update customers set version = version + 1 where id = 'customer-124' returning id)
        update orders set updated_at = clock_timestamp() where id = '${id}' and exists (select from touched)`)
      transactions++
    }
  })()
  return {
    async stop() {
      running = false
      await writing
      return transactions
    },
  }
}

/** What the preflight says of a migration with these statements. */
async function foretold(statements: readonly string[]): Promise<string> {
  const captured = describeCapture(connectorSettings.parse(settings), orderProjections)
  return (await preflight(statements.join(";\n"), captured)).level
}

const touchOrder = () => `update orders set note = md5(random()::text) where id = '${id}'`
const touchPayment = () =>
  `update payments set provider = md5(random()::text) where order_id = '${id}' and payment = 1`
const touchItem = () => `update order_items set quantity = quantity % 9 + 1 where order_id = '${id}'`

const goesOn: { name: string; statements: () => string[]; back?: string[] }[] = [
  {
    name: "a column is added that may be null",
    statements: () => ["alter table orders add column colour text", touchOrder()],
  },
  {
    name: "a column is added with a default for all rows",
    statements: () => [
      "alter table orders add column grade integer not null default 7",
      touchOrder(),
      "alter table orders add column token uuid not null default gen_random_uuid()",
      touchOrder(),
    ],
  },
  {
    name: "a column that nobody reads is renamed, retyped and dropped",
    statements: () => [
      "alter table orders rename column grade to rank",
      touchOrder(),
      "alter table orders alter column rank type text",
      touchOrder(),
      "alter table orders drop column rank, drop column token, drop column colour",
      touchOrder(),
    ],
  },
  {
    name: "a default changes",
    statements: () => [
      "alter table orders alter column total_minor set default 5",
      touchOrder(),
      "alter table orders alter column total_minor drop default",
      touchOrder(),
    ],
    back: ["alter table orders alter column total_minor set default 0"],
  },
  {
    name: "a column without a default loses its not null, and gets it back",
    statements: () => [
      "alter table products alter column currency drop not null",
      "update products set currency = null where id = 'product-457'",
    ],
    back: [
      "update products set currency = 'USD' where currency is null",
      "alter table products alter column currency set not null",
    ],
  },
  {
    name: "text becomes varchar and text again",
    statements: () => [
      "alter table orders alter column note type varchar(400)",
      touchOrder(),
      "alter table orders alter column note type text",
      touchOrder(),
    ],
  },
  {
    name: "text becomes an enum that gets another value",
    statements: () => [
      "create type payment_state as enum ('captured', 'failed')",
      "alter table payments alter column status type payment_state using status::payment_state",
      touchPayment(),
      "alter type payment_state add value 'reversed'",
      `update payments set status = 'reversed' where order_id = '${id}' and payment = 2`,
    ],
    back: ["alter table payments alter column status type text"],
  },
  {
    name: "bigint becomes integer, and bigint again",
    statements: () => [
      "alter table order_items alter column unit_price_minor type integer",
      touchItem(),
      "alter table order_items alter column unit_price_minor type bigint",
      touchItem(),
    ],
  },
  {
    name: "the columns change their order",
    statements: () => [
      `begin; alter table orders add column moved text; update orders set moved = note;
       alter table orders drop column note; alter table orders rename column moved to note; commit`,
      touchOrder(),
    ],
  },
  {
    name: "a table changes between two changes of one transaction",
    statements: () => [
      `begin; ${touchItem()}; alter table order_items add column gift boolean default false; ${touchItem()};
       alter table order_items drop column gift; ${touchItem()}; commit`,
    ],
  },
  {
    name: "a table is new, captured by nobody, published or not, and written in one transaction with others",
    statements: () => [
      "create table wishes (id integer primary key)",
      `begin; insert into wishes values (1); ${touchOrder()}; commit`,
      "alter publication lockstep add table wishes",
      `begin; insert into wishes values (2); ${touchOrder()}; commit`,
    ],
    back: ["drop table wishes"],
  },
]

test.each(goesOn)("goes on when $name", async ({ statements, back = [] }) => {
  const before = await generation()
  const writes = startWrites()
  try {
    await run(...statements())
    expect(await differencesWhile(writes)).toEqual([])
  } finally {
    await writes.stop()
    await run(...back)
  }
  expect(await differences()).toEqual([])
  expect(await generation()).toEqual(before)
})

async function differencesWhile(writes: { stop: () => Promise<number> }): Promise<Difference[]> {
  expect(await writes.stop()).toBeGreaterThan(0)
  return await differences()
}

test("shows and counts an order in a status that it does not know", async () => {
  await run(
    "alter table orders drop constraint orders_status_check",
    `update orders set status = 'on_hold' where id = '${id}'`,
  )
  expect(await differences()).toEqual([])
  expect((await client.read(order, {})).body).toMatchObject({ status: "on_hold" })
  expect((await client.read("/orders", {})).text).toContain('"status":"on_hold"')
  expect((await client.read("/analytics/orders?period=monthly", {})).text).toMatch(/"orders":1,"items":\d/)
  const filtered = await client.read("/orders?status=on_hold", {})
  expect(filtered.status).toBe(400)
  expect(filtered.body.type).toBe("urn:lockstep:problem:invalid-request")
  await run(`update orders set status = 'draft' where id = '${id}'`)
})

test("passes over records of the old form that are sent again after newer ones", async () => {
  await run(touchOrder(), "alter table orders add column colour text", touchOrder())
  await system.caughtUp()
  const topics = createTopics(readEndpoints().kafkaBrokers)
  try {
    const all = await topics.readAll([`${system.topicPrefix}.public.orders`])
    await topics.write(all.slice(-6, -1))
  } finally {
    await topics.close()
  }
  await run(touchOrder())
  expect(await differences()).toEqual([])
  await run("alter table orders drop column colour")
})

type HaltCase = {
  name: string
  statements: () => string[]
  back: string[]
  says: RegExp
  detail: Record<string, unknown>
}

const misfit = (table: string, column: Column["name"], writerType: string, expectedType: string) => ({
  table,
  column,
  writerType,
  expectedType,
})

const halts: HaltCase[] = [
  {
    name: "a column that is read is dropped",
    statements: () => ["alter table orders drop column cancel_reason", touchOrder()],
    back: ["alter table orders add column cancel_reason text"],
    says: /column cancel_reason is missing/,
    detail: misfit("orders", "cancel_reason", "none", "text"),
  },
  {
    name: "a column that is read is renamed",
    statements: () => [
      "alter table orders rename column note to remark",
      `update orders set remark = 'renamed' where id = '${id}'`,
    ],
    back: ["alter table orders rename column remark to note"],
    says: /column note is missing/,
    detail: misfit("orders", "note", "none", "text"),
  },
  {
    name: "an integer that is read as such becomes a bigint",
    statements: () => ["alter table order_items alter column quantity type bigint", touchItem()],
    back: ["alter table order_items alter column quantity type integer"],
    says: /column quantity is long, not integer/,
    detail: misfit("order_items", "quantity", "long", "integer"),
  },
  {
    name: "text becomes jsonb",
    statements: () => [
      "alter table orders alter column cancel_reason type jsonb using to_jsonb(cancel_reason)",
      touchOrder(),
    ],
    back: ["alter table orders alter column cancel_reason type text using cancel_reason #>> '{}'"],
    says: /column cancel_reason is string \(io\.debezium\.data\.Json\), not text/,
    detail: misfit("orders", "cancel_reason", "string (io.debezium.data.Json)", "text"),
  },
  {
    name: "a bigint becomes numeric",
    statements: () => [
      "alter table products alter column price_minor type numeric(14, 2)",
      "update products set active = not active where id = 'product-457'",
    ],
    back: ["alter table products alter column price_minor type bigint"],
    says: /column price_minor is string, not bigint/,
    detail: misfit("products", "price_minor", "string", "bigint"),
  },
  {
    name: "a timestamptz becomes a timestamp",
    statements: () => ["alter table payments alter column created_at type timestamp", touchPayment()],
    back: ["alter table payments alter column created_at type timestamptz"],
    says: /column created_at is long \(io\.debezium\.time\.MicroTimestamp\), not timestamptz/,
    detail: misfit("payments", "created_at", "long (io.debezium.time.MicroTimestamp)", "timestamptz"),
  },
  {
    name: "a column with a default may be null, which the connector sends as the default",
    statements: () => [
      "alter table products alter column weight_grams drop not null",
      "update products set weight_grams = null where id = 'product-457'",
    ],
    back: [
      "update products set weight_grams = 3 where id = 'product-457'",
      "alter table products alter column weight_grams set not null",
    ],
    says: /column weight_grams may be null and has a default/,
    detail: misfit("products", "weight_grams", "int or null, with a default", "integer"),
  },
  {
    name: "the primary key loses a column, so that a delete does not name its row any more",
    statements: () => [
      "alter table payments drop constraint payments_pkey, add primary key (payment)",
      "delete from payments where payment = 2",
    ],
    back: ["alter table payments drop constraint payments_pkey, add primary key (order_id, payment)"],
    says: /their key should be \(order_id, payment\), and it is \(payment\)/,
    detail: misfit("payments", "order_id, payment", "payment", "primary key"),
  },
  {
    name: "the primary key is dropped",
    statements: () => [
      "alter table payments drop constraint payments_pkey",
      `insert into payments (order_id, payment, status, amount_minor, currency, provider, provider_reference)
       values ('${id}', 3, 'failed', 1, 'USD', 'test', 'ref-3')`,
    ],
    back: ["alter table payments add primary key (order_id, payment)"],
    says: /their key should be \(order_id, payment\), and there is none/,
    detail: misfit("payments", "order_id, payment", "none", "primary key"),
  },
  {
    name: "the column of the primary key is renamed",
    statements: () => [
      "alter table customers rename column id to customer_key",
      "update customers set name = 'Renamed' where customer_key = 'customer-125'",
    ],
    back: ["alter table customers rename column customer_key to id"],
    says: /column id is missing/,
    detail: misfit("customers", "id", "none", "text"),
  },
  {
    name: "the replica identity is another index, so that a delete has an empty key",
    statements: () => [
      "alter table payments alter column provider_reference set not null",
      "create unique index payments_reference on payments (provider_reference)",
      "alter table payments replica identity using index payments_reference",
      "delete from payments where payment = 3",
    ],
    back: [
      "alter table payments replica identity default",
      "drop index payments_reference",
      "alter table payments alter column provider_reference drop not null",
    ],
    says: /a delete has an empty key/,
    detail: { table: "payments" },
  },
]

test.each(halts)("halts when $name", async ({ statements, back, says, detail }) => {
  const lastGood = await client.command("PATCH", order, { note: `before ${says}` })
  expect(lastGood.status).toBe(200)
  expect(await foretold(statements())).toMatch(/halts|loses/)
  await run(...statements())

  const halt = await waitForHalt(system)
  expect(halt.reason).toMatch(says)
  expect(halt.reason).toContain(`Records of table ${String(detail.table)} written with schema`)
  expect(halt.next_step).toMatch(/rebuild/)
  expect(halt.detail).toMatchObject({
    code: "incompatible-schema",
    schemaId: expect.any(Number),
    topic: `${system.topicPrefix}.public.${String(detail.table)}`,
    commitLsn: expect.stringMatching(/^[0-9A-F]+\/[0-9A-F]+$/),
    ...detail,
  })
  const readiness = await client.read("/readyz", {})
  expect(readiness.body).toMatchObject({ checks: { projector: { state: "failed", reason: halt.reason } } })
  // Everything before it is applied, and nothing of it.
  expect((await client.read(order)).body).toMatchObject({ note: `before ${says}` })

  await run(...back)
  await rebuild(system)
  expect(await differences()).toEqual([])
})

const publishedTables = "customers, orders, order_items, payments, order_events, cdc_heartbeat, cdc_signals"
const touchProduct = "update products set weight_grams = weight_grams + 1 where id = 'product-457'"

const untold: { name: string; statements: () => string[]; back: string[] }[] = [
  {
    name: "ALTER TYPE .. USING gives the rows other values",
    statements: () => ["alter table products alter column name type text using upper(name)"],
    back: [],
  },
  {
    name: "a column is dropped and added again with a default",
    statements: () => [
      "alter table products drop column weight_grams",
      "alter table products add column weight_grams integer not null default 7",
      "update products set active = not active where id = 'product-458'",
    ],
    back: [],
  },
  {
    name: "a table leaves the publication for a while",
    statements: () => ["alter publication lockstep drop table products", touchProduct],
    back: ["alter publication lockstep add table products"],
  },
  {
    name: "the publication gets a row filter",
    statements: () => [
      `alter publication lockstep set table products where (id <> 'product-457'), ${publishedTables}`,
      touchProduct,
    ],
    back: [`alter publication lockstep set table products, ${publishedTables}`],
  },
  {
    name: "the publication leaves out an operation",
    statements: () => [
      "alter publication lockstep set (publish = 'insert, update, truncate')",
      `delete from payments where order_id = '${id}' and payment = 4`,
    ],
    back: ["alter publication lockstep set (publish = 'insert, update, delete, truncate')"],
  },
  {
    name: "the publication is dropped and made again",
    statements: () => [
      "drop publication lockstep",
      touchProduct,
      `create publication lockstep for table products, ${publishedTables}`,
    ],
    back: [],
  },
  {
    name: "a table is replaced by another of its name",
    statements: () => [
      "alter table products rename to products_before",
      "create table products (like products_before including all)",
      "insert into products select * from products_before",
      "grant select on products to capture, base_loader",
      touchProduct,
    ],
    back: [
      "alter publication lockstep drop table products_before",
      "alter publication lockstep add table products",
    ],
  },
]

test.each(untold)(
  "is not told when $name, and a rebuild makes both sides equal",
  async ({ statements, back }) => {
    await run(
      `insert into payments (order_id, payment, status, amount_minor, currency, provider)
     values ('${id}', 4, 'failed', 1, 'USD', 'test') on conflict do nothing`,
    )
    expect(await differences()).toEqual([])
    await run(...statements())
    expect((await differences()).length).toBeGreaterThan(0)
    await run(...back)
    await rebuild(system)
    expect(await differences()).toEqual([])
    await run(touchProduct)
    expect(await differences()).toEqual([])
  },
)

/** A query service of another version, in this process. */
const deploy = (projections: Projections) =>
  start(loadConfig({ ...system.queryEnvironment, QUERY_PORT: "0", LOG_LEVEL: "silent" }), projections)

/** The same projections with some columns of a table put in place of others of the same place. */
function withColumns(version: string, table: string, replace: Record<string, Column>): Projections {
  return {
    ...orderProjections,
    version,
    tables: orderProjections.tables.map((one) =>
      one.name === table
        ? { ...one, columns: one.columns.map((column) => replace[column.name] ?? column) }
        : one,
    ),
  }
}

test("goes on where it stood when a version that does not fit is replaced by one that does", async () => {
  const { generation: before } = await generation()
  await system.query.kill()
  const broken = await deploy(withColumns(orderProjections.version, "orders", { note: jsonb("note") }))
  try {
    await run(touchItem(), touchOrder(), touchItem())
    expect((await waitForHalt(system)).reason).toMatch(/column note is string, not jsonb/)
  } finally {
    await broken.stop()
  }
  await system.query.start()
  expect(await differences()).toEqual([])
  expect((await generation()).generation).toBe(before)
})

test("a deployed version follows a rename, with changes of the old form still on their way", async () => {
  const { generation: before } = await generation()
  await connect().stop(system.connectorName)
  await waitFor(async () => !(await isCapturing()), "the connector has stopped")
  await run(
    touchOrder(),
    "alter table orders rename column cancel_reason to withdrawal",
    `update orders set withdrawal = 'after the rename' where id = '${id}'`,
    "alter table order_items alter column quantity type bigint",
    touchItem(),
  )
  await system.query.kill()
  await connect().resume(system.connectorName)
  const renamed = withColumns("2", "orders", { cancel_reason: longText("withdrawal") })
  const deployed: Projections = {
    ...renamed,
    tables: renamed.tables.map((table) =>
      table.name === "order_items" ? withQuantity(table, bigint("quantity")) : table,
    ),
  }
  const service = await deploy(deployed)
  try {
    await waitFor(async () => (await generation()).version === "2", "the version's generation serves", 30_000)
    expect((await generation()).generation).toBeGreaterThan(before)
    await run(`update orders set withdrawal = 'later' where id = '${id}'`, touchItem())
    expect(await differences(deployed)).toEqual([])
  } finally {
    await service.stop()
    await run(
      "alter table orders rename column withdrawal to cancel_reason",
      "alter table order_items alter column quantity type integer",
    )
    await system.query.start()
  }
  await waitFor(
    async () => (await generation()).version === orderProjections.version,
    "the first version is back",
  )
  await run(touchOrder())
  expect(await differences()).toEqual([])
})

test("ends in the true values when a column got its not null while the connector was behind", async () => {
  await connect().stop(system.connectorName)
  await waitFor(async () => !(await isCapturing()), "the connector has stopped")
  await run(
    "alter table products alter column currency drop not null",
    "update products set currency = null where id = 'product-457'",
    "update products set currency = 'EUR' where currency is null",
    "alter table products alter column currency set not null",
  )
  await connect().resume(system.connectorName)
  expect(await differences()).toEqual([])
})

test("the task fails while the registry refuses the schema, readiness says so, and nothing is lost", async () => {
  const rules = new URL(
    `/apis/registry/v2/groups/default/artifacts/${system.topicPrefix}.public.order_items-value/rules`,
    readEndpoints().registryUrl,
  )
  const rule = { type: "COMPATIBILITY", config: "FULL" }
  const set = await fetch(rules, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(rule),
  })
  expect(set.status).toBe(204)
  await run(
    "alter table order_items add column gift text not null default 'none'",
    "alter table order_items alter column gift drop default",
    touchItem(),
  )
  await waitFor(async () => {
    const status = await connect().readStatus(system.connectorName)
    return status?.tasks[0]?.state === "FAILED"
  }, "the task has failed")
  await waitFor(async () => {
    const { body } = await client.read("/readyz", {})
    return JSON.stringify(body).includes("captures nothing")
  }, "readiness says so")
  expect((await fetch(rules, { method: "DELETE" })).status).toBe(204)
  await connect().restartFailed(system.connectorName)
  expect(await differences()).toEqual([])
})

const withQuantity = (table: Projections["tables"][number], quantity: Column) => ({
  ...table,
  columns: table.columns.map((column) => (column.name === "quantity" ? quantity : column)),
})

async function isCapturing(): Promise<boolean> {
  const { rows } = await system.source.query<{ active: boolean }>(
    "select active from pg_replication_slots where slot_name = $1",
    [system.connectorName],
  )
  return rows[0]?.active ?? false
}
