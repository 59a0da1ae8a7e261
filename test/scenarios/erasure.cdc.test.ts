// A customer is erased on the real pipeline: every personal value is a text that occurs nowhere else, and afterwards no
// table of either database and no key of Redis holds a byte of them, whatever was parked, shown, cached or kept of
// former generations before. What the topics still hold cannot come back, and it is said when it ends.
import { randomUUID } from "node:crypto"
import { expect, test } from "vitest"
import { waitFor } from "../support/wait.ts"
import { lockstep } from "./given/lockstep.ts"
import { createMarkedCustomer, idOf } from "./given/marked-customer.ts"
import { givenScenario } from "./given/scenario.ts"
import { givenTraces } from "./given/traces.ts"

const { system, client, topics } = givenScenario("erasure")
const traces = givenTraces(system)

test("leaves no byte of an erased customer anywhere but in topics, and says when those end", async () => {
  const mark = `mark-${randomUUID()}`
  const customer = await createMarkedCustomer(client, mark)
  const { headers } = await client.command("POST", "/orders", {
    customer_id: idOf(customer),
    items: [{ product_id: "product-456", quantity: 2 }],
    shipping_address: { street: `${mark} shipped`, city: "c", zip: "1", country: "US" },
    note: `${mark} note`,
  })
  const order = headers.get("location") ?? ""
  await system.source.query(
    "insert into shipments (order_id, shipment, carrier, tracking) values ($1, 1, 'post', $2), ($1, 2, 'post', $2)",
    [idOf(order), `${mark} tracking`],
  )
  await system.source.query("delete from shipments where order_id = $1 and shipment = 2", [idOf(order)])
  const found = await client.read(`/customers?email=${mark.toUpperCase()}@Example.com`)
  expect(found.body).toMatchObject({ customers: [{ id: idOf(customer), name: `${mark} name` }] })
  await waitFor(async () => {
    for (const path of [customer, order]) await client.read(path, {})
    return (await traces.answersWith(mark)).length >= 2
  }, "answers are cached")

  // Row changes that are refused, a record that cannot be read, and a rehearsal that shows values.
  await traces.refuse("orders", "note", "refused")
  await traces.refuse("customers", "name", "refused")
  await client.command("PATCH", order, { note: `${mark} refused` })
  await client.command("PATCH", customer, { name: `${mark} refused` })
  await client.command("POST", `${order}/cancel`, { reason: `${mark} reason` })
  await system.caughtUp()
  const records = await topics.readAll([`${system.topicPrefix}.public.orders`])
  const garbled = records.find(({ value }) => value?.includes(mark))
  if (!garbled) throw new Error("no record of the order is there")
  await topics.write([{ ...garbled, value: Buffer.from(`${mark} garbled`) }])
  await waitFor(async () => (await traces.deadLetters()).parked === 4, "all of it is parked")
  const rehearsed = await lockstep(system, "dlq", "redrive", "--all", "--dry-run", "--reveal")
  expect(rehearsed.out).toContain(mark)
  await traces.leaveGeneration(mark)

  const before = await lockstep(system, "erasure", "report", idOf(customer), "--json")
  expect(before.code).toBe(3)
  expect(JSON.parse(before.out)).toMatchObject({ is_erased: false, erased_at: null })
  const { rows: payloads } = await system.source.query(
    "select type from order_events where position($1 in payload::text) > 0",
    [mark],
  )
  expect(payloads).toEqual([])

  const erased = await client.command("DELETE", customer)
  expect([erased.status, erased.text]).toEqual([200, expect.stringContaining('"orders_touched":1')])
  expect((await client.read(customer)).body).toMatchObject({ name: "Erased", phone: null, address: null })
  await system.caughtUp()
  expect(await traces.rowsWith(system.source, mark)).toEqual([])
  expect(await traces.rowsWith(system.reads, mark)).toEqual([])
  await waitFor(async () => (await traces.answersWith(mark)).length === 0, "Redis holds nothing")
  // What cannot be read may be missing, so answers go on saying so; the others are settled.
  expect(await traces.deadLetters()).toEqual({ erased: 3, parked: 1 })
  const { body } = await client.read(order)
  expect(body).toMatchObject({
    status: "cancelled",
    total: { amount: "59.98" },
    note: null,
    cancel_reason: null,
  })
  expect((await client.read(`/customers?email=${mark}@example.com`)).body).toEqual({ customers: [] })

  // Records from before the erasure, sent once more.
  const all = await topics.readAll(
    ["customers", "orders", "shipments", "order_events"].map(
      (table) => `${system.topicPrefix}.public.${table}`,
    ),
  )
  const late = all.filter(({ value }) => value?.includes(mark) && !value.includes("garbled"))
  expect(late.length).toBeGreaterThan(4)
  for (const { headers: sent } of all) expect(JSON.stringify(sent)).not.toContain(mark)
  await topics.write(late)
  await client.placeOrder()
  await system.caughtUp()
  await system.query.kill()
  await system.query.start()
  await system.caughtUp()
  expect(await traces.rowsWith(system.reads, mark)).toEqual([])

  const after = await lockstep(system, "erasure", "report", idOf(customer), "--json")
  const report = JSON.parse(after.out)
  expect(report).toMatchObject({
    is_erased: true,
    findings: [],
    orders: 1,
    dead_letters: { holding: 0, of_unknown_rows: 0 },
    cache: { holding: 0 },
  })
  expect(after.code).toBe(0)
  const week = 7 * 24 * 3_600_000
  expect(report.topics).toContainEqual({
    topic: `${system.topicPrefix}.public.customers`,
    retention_ms: week,
    gone_by: new Date(Date.parse(report.erased_at) + week + week / 7).toISOString(),
  })
  expect(report.topics).toContainEqual(
    expect.objectContaining({ topic: `${system.topicPrefix}.dead-letters`, retention_ms: 2 * week }),
  )
  const shown = [before, after].flatMap(({ out, err }) => [out, err]).join()
  expect(shown).not.toContain(mark)
  expect(JSON.stringify(system.query.logs)).not.toContain(`${mark}@example.com`)
})
