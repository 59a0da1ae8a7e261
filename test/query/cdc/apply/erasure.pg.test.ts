// What is kept besides the rows is forgotten with them: which bytes of dead letters go, which of them are settled, and
// which stay because something may be missing without them.
import { beforeEach, expect, test } from "vitest"
import { applyTransactions } from "../../../../query/cdc/apply/apply.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { givenGeneration, tableOf, transaction, upsert } from "../given/generation.ts"

const customers = tableOf(orderProjections, "customers")
const orders = tableOf(orderProjections, "orders")

const generation = givenGeneration("erasure", orderProjections)
beforeEach(() => generation.empty())

const customer = (at: number, id: string, more: object = {}) =>
  upsert(customers, at, { id, email: `${id}@example.com`, name: id, ...more })
const order = (at: number, id: string, customerId: string) =>
  upsert(orders, at, {
    id,
    customer_id: customerId,
    status: "cancelled",
    currency: "USD",
    created_at: "2026-01-01T00:00:00Z",
  })
const erased = { erased_at: "2026-01-01T00:00:00Z", name: "Erased" }

type Entry = {
  table: string
  key: string[] | null
  bytes?: string
  state?: string
  places?: object
  lsn?: number | null
}

async function park(entries: readonly Entry[]): Promise<void> {
  for (const [offset, entry] of entries.entries()) {
    const { table, key, bytes = "secret", state = "parked", places = {}, lsn = 100 + offset } = entry
    await generation.admin.query(
      `insert into cdc.dead_letters (source, generation, topic, partition, kafka_offset, record_key, record_value,
         record_headers, table_name, row_key, xid, lsn, commit_lsn, is_placed, value_places, code, message, state)
       values ('orders', $1, 't', 0, $2, 'key', $3, '{"a":"b"}', $4, $5, 1, $6, $7, true, $8, 'bad-row', 'secret', $9)`,
      [
        generation.target.ref.generation,
        offset,
        Buffer.from(bytes),
        table,
        key,
        lsn,
        100 + offset,
        places,
        state,
      ],
    )
  }
}

/** By offset: state, and whether anything of the record is left. */
async function entries(): Promise<string[]> {
  const { rows } = await generation.admin.query<{ entry: string }>(
    `select state || case when record_value is null and record_key is null and record_headers = '{}'
       and message = 'erased' then ' without bytes' else '' end as entry from cdc.dead_letters order by kafka_offset`,
  )
  return rows.map(({ entry }) => entry)
}

test("a followed change is settled, one that is the row's last stays, what cannot be read loses its bytes", async () => {
  await generation.apply([
    transaction(10, [
      customer(1, "customer-1"),
      customer(2, "customer-2"),
      order(3, "order-1", "customer-1"),
    ]),
  ])
  await park([
    { table: "customers", key: ["customer-1"], places: { email: "500/500/5" } },
    { table: "orders", key: ["order-1"], places: { note: "50/50/5" } }, // only an earlier change carried it
    { table: "orders", key: ["order-1"] },
    { table: "order_items", key: ["order-1", "1"], lsn: null },
    { table: "orders", key: null, bytes: "a\u0018customer-1b", lsn: null },
    { table: "orders", key: null, bytes: "somebody else", lsn: null },
    { table: "payments", key: ["order-1", "1"], state: "discarded" },
    { table: "customers", key: ["customer-2"], places: { email: "500/500/5" } },
  ])
  await generation.apply([transaction(1_000, [customer(1_000, "customer-1", erased)])])
  expect(await entries()).toEqual([
    "erased without bytes",
    "erased without bytes",
    "parked",
    "parked without bytes",
    "parked without bytes",
    "parked",
    "discarded without bytes",
    "parked",
  ])
})

test("what requests have shown of the rows goes, and what they have shown of others stays", async () => {
  await generation.apply([transaction(10, [customer(1, "customer-1"), order(3, "order-1", "customer-1")])])
  const shown = (key: string[] | null) => ({
    done: 1,
    results: [{ table: "orders", key, difference: { note: {} } }],
  })
  for (const key of [["order-1"], ["order-2"], null]) {
    await generation.admin.query(
      "insert into cdc.requests (source, kind, state, progress) values ('orders', 'redrive', 'done', $1)",
      [shown(key)],
    )
  }
  await generation.apply([transaction(1_000, [customer(1_000, "customer-1", erased)])])
  const { rows } = await generation.admin.query<{ shown: number }>(
    "select jsonb_array_length(progress->'results') as shown from cdc.requests order by id",
  )
  expect(rows.map((row) => row.shown)).toEqual([0, 1, 0])
})

test("an erasure that is rolled back forgets nothing", async () => {
  await generation.apply([transaction(10, [customer(1, "customer-1")])])
  await park([{ table: "customers", key: ["customer-1"], places: { email: "500/500/5" } }])
  const step = {
    expected: generation.position(),
    transactions: [transaction(1_000, [customer(1_000, "customer-1", erased)])],
  }
  const cacheFence = { ...generation.target.cacheFence, fence: () => Promise.reject(new Error("no commit")) }
  await expect(
    applyTransactions(
      { ...generation.target, cacheFence },
      { ...step, resumeOffsets: new Map(), heartbeatAt: null },
    ),
  ).rejects.toThrow("no commit")
  expect(await entries()).toEqual(["parked"])
})
