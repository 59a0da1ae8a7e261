// SCENARIOS row 17: the source's tables change while it is written to. A record that the projections cannot read
// stops the projector before its transaction, with all before it applied, and the halt says what, why and what next;
// the preflight warns of each. What the connector does not tell of at all is mended by a rebuild.
// One file: it is one table of cases for the projector and the preflight.
import { expect, test } from "vitest"
import settings from "../../connectors/orders.json" with { type: "json" }
import type { Column } from "../../query/cdc/projection/columns.ts"
import { orderProjections } from "../../query/orders/projections.ts"
import { connectorSettings, describeCapture } from "../../query/preflight/captured.ts"
import { preflight } from "../../query/preflight/preflight.ts"
import { rebuild } from "../support/rebuild.ts"
import { givenDriftingSource } from "./given/drifting-source.ts"
import { waitForHalt } from "./given/halts.ts"

const source = givenDriftingSource("drift_halts")
const { system, client, order, id, run, differences, touchOrder, touchPayment, touchItem } = source

/** What the preflight says of a migration with these statements. */
async function foretold(statements: readonly string[]): Promise<string> {
  const captured = describeCapture(connectorSettings.parse(settings), orderProjections)
  return (await preflight(statements.join(";\n"), captured)).level
}

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
      `update orders set remark = 'renamed' where id = '${id()}'`,
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
       values ('${id()}', 3, 'failed', 1, 'USD', 'test', 'ref-3')`,
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
  const lastGood = await client.command("PATCH", order(), { note: `before ${says}` })
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
  expect((await client.read(order())).body).toMatchObject({ note: `before ${says}` })

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
      `delete from payments where order_id = '${id()}' and payment = 4`,
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
     values ('${id()}', 4, 'failed', 1, 'USD', 'test') on conflict do nothing`,
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
