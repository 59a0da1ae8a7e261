// SCENARIOS rows 3, 6 and 12: the connector dies while it sends and sends again from an older place, and records of
// long ago come again, even those of rows that were deleted since. Nothing of it may change what readers see.
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { setTimeout as sleep } from "node:timers/promises"
import copyStreams from "pg-copy-streams"
import { expect, test } from "vitest"
import type { RawRecord } from "../../query/cdc/vocabulary/change.ts"
import { orderProjections } from "../../query/orders/projections.ts"
import { kept, startTrial } from "../chaos/given/trial.ts"
import { readEndpoints, stackParts } from "../stack/endpoints.ts"
import { waitFor } from "../support/wait.ts"
import { givenScenario } from "./given/scenario.ts"

const { system, client, topics } = givenScenario("sent_again")
const { connect } = stackParts(readEndpoints())

const topicOf = (table: string) => `${system.topicPrefix}.public.${table}`
const allTopics = () => [
  `${system.topicPrefix}.transaction`,
  ...[...orderProjections.tables.map(({ name }) => name), orderProjections.heartbeatTable].map(topicOf),
]

/** The rows as they are stored, with what guards them and where they came from. */
async function storedRows(): Promise<string[]> {
  const schema = await system.liveSchema()
  const rows: string[] = []
  for (const { name } of [
    ...orderProjections.tables,
    ...orderProjections.derived,
    ...orderProjections.recomputed,
  ]) {
    const found = await system.reads.query<{ row: string }>(
      `select '${name} ' || to_jsonb(t)::text as row from ${schema}.${name} t order by 1`,
    )
    rows.push(...found.rows.map(({ row }) => row))
  }
  return rows
}

test("leaves deleted rows deleted when every record of their history comes again", async () => {
  const [gone, stays] = [await client.placeOrder(), await client.placeOrder()]
  for (const order of [gone, stays]) {
    await client.command("POST", `${order}/items`, { product_id: "product-457", quantity: 2 })
    await client.command("PATCH", order, { note: "changed" })
  }
  const id = gone.slice("/orders/".length)
  await system.source.query(`
    begin;
    delete from order_items where order_id = '${id}';
    delete from orders where id = '${id}';
    delete from order_events where order_id = '${id}';
    commit`)
  await system.caughtUp()
  const before = await storedRows()

  const everything = await topics.readAll(allTopics())
  await topics.write(everything)
  await system.caughtUp()
  expect((await client.read(gone)).status).toBe(404)
  expect(await storedRows()).toEqual(before)

  await topics.write(everything.filter(({ topic }) => topic !== `${system.topicPrefix}.transaction`))
  await system.query.kill()
  await system.query.start()
  await system.caughtUp()
  expect((await client.read(gone)).status).toBe(404)
  expect(await storedRows()).toEqual(before)

  await system.source.query(
    "insert into orders (id, customer_id, status, currency, version) values ($1, 'customer-123', 'draft', 'USD', 0)",
    [id],
  )
  await system.caughtUp()
  expect((await client.read(gone)).body, "a deleted id may be used again").toMatchObject({ id, items: [] })
  await system.source.query("delete from orders where id = $1", [id])
})

test("takes a COPY of 500 rows with one LSN whole when the connector is killed inside it", async () => {
  const trial = await startTrial(system, { customers: 1 })
  const sent: number[] = []
  for (let attempt = 0; attempt < 6 && !sent.some(isPart); attempt++) {
    await system.caughtUp()
    const before = await topics.length(topicOf("order_items"))
    await copyOrder(`copied-${attempt}`)
    // Asked again at once: the rest of the rows follows within milliseconds.
    while ((await topics.length(topicOf("order_items"))) === before) await sleep(1)
    await connect.kill()
    sent.push((await topics.length(topicOf("order_items"))) - before)
    await connect.start()
  }
  console.log(`of 500 rows the connector had sent ${sent.join(", ")} when it was killed`)
  expect(sent.some(isPart), "the connector was killed inside a COPY").toBe(true)
  expect(await trial.conclude()).toEqual(kept)
})

const copiedRows = 500
const isPart = (rows: number): boolean => rows > 0 && rows < copiedRows

async function copyOrder(order: string): Promise<void> {
  const client = await system.source.connect()
  try {
    await client.query("begin")
    await client.query(
      `insert into orders (id, customer_id, status, currency, subtotal_minor, total_minor)
       values ($1, 'customer-124', 'draft', 'USD', $2, $2)`,
      [order, copiedRows * 450],
    )
    await client.query("insert into order_events (order_id, version, type) values ($1, 1, 'OrderCreated')", [
      order,
    ])
    const lines = Array.from({ length: copiedRows }, (_, n) => `${order}\t${n + 1}\tproduct-458\t1\t450\n`)
    await pipeline(
      Readable.from([lines.join("")]),
      client.query(
        copyStreams.from(
          "copy order_items (order_id, line, product_id, quantity, unit_price_minor) from stdin",
        ),
      ),
    )
    await client.query("commit")
  } finally {
    client.release()
  }
}

test("changes nothing when a suffix of the topics is published again, before it was applied or after", async () => {
  const trial = await startTrial(system, { writers: 1 })
  await topicsGrow()
  await system.query.kill()
  await topicsGrow()
  await topics.write(suffix(await topics.readAll(allTopics())))
  await system.query.start()
  await topicsGrow()
  await topics.write(suffix(await topics.readAll(allTopics())))
  expect(await trial.conclude()).toEqual(kept)
})

/** Waits until some more orders of the load lie in Kafka. */
async function topicsGrow(): Promise<void> {
  const before = await topics.length(topicOf("orders"))
  await waitFor(
    async () => (await topics.length(topicOf("orders"))) > before + 20,
    "more orders are captured",
  )
}

/** The younger half of each partition, in its order. */
function suffix(records: readonly RawRecord[]): RawRecord[] {
  const partitions = new Map<string, RawRecord[]>()
  for (const record of records) {
    const partition = `${record.topic}/${record.partition}`
    partitions.set(partition, [...(partitions.get(partition) ?? []), record])
  }
  return [...partitions.values()].flatMap((ofPartition) => ofPartition.slice(ofPartition.length / 2))
}
