// An erasure that does not come as a small change: in a transaction too large for memory, in one that a killed projector
// has to read again, or not at all, because a fresh generation holds it already. Afterwards, too, the read side has no
// byte of anything personal left, whatever was parked, shown, cached or staged before.
import { randomUUID } from "node:crypto"
import { expect, test } from "vitest"
import { readEndpoints } from "../stack/endpoints.ts"
import { rebuild } from "../support/rebuild.ts"
import { waitFor } from "../support/wait.ts"
import { lockstep } from "./given/lockstep.ts"
import { createMarkedCustomer, idOf } from "./given/marked-customer.ts"
import { givenScenario } from "./given/scenario.ts"
import { givenTraces } from "./given/traces.ts"

const { system, client, topics } = givenScenario("erasure_at_once", {
  queryEnvironment: () => ({ MAX_PENDING_MIB: "1" }),
})
const traces = givenTraces(system)

/** Statements for cancelled orders of the customer, numbered from 1. */
const manyOrders = (customer: string, mark: string, count: number): string => `
  insert into orders (id, customer_id, status, currency, version, note, shipping_address)
    select 'many-${idOf(customer)}-' || o, '${idOf(customer)}', 'cancelled', 'USD', 1, '${mark} note',
      '{"street":"${mark} shipped"}' from generate_series(1, ${count}) o;
  insert into order_events (order_id, version, type, reason)
    select 'many-${idOf(customer)}-' || o, 1, 'OrderCancelled', '${mark} reason' from generate_series(1, ${count}) o`

/** Parks a refused change of the order's note and of the customer's name, and a record that cannot be read. */
async function parkSome(customer: string, order: string, mark: string): Promise<void> {
  const { parked = 0 } = await traces.deadLetters()
  await traces.refuse("orders", "note", `${mark} refused`)
  await traces.refuse("customers", "name", `${mark} refused`)
  await system.source.query("update orders set note = $2 where id = $1", [idOf(order), `${mark} refused`])
  await client.command("PATCH", customer, { name: `${mark} refused` })
  await system.caughtUp()
  const records = await topics.readAll([`${system.topicPrefix}.public.orders`])
  const garbled = records.find(({ value }) => value?.includes(mark))
  if (!garbled) throw new Error("no record of the order is there")
  await topics.write([{ ...garbled, value: Buffer.from(`${mark} garbled`) }])
  await waitFor(async () => (await traces.deadLetters()).parked === parked + 3, "all of it is parked")
  const rehearsed = await lockstep(system, "dlq", "redrive", "--all", "--dry-run", "--reveal")
  expect(rehearsed.out).toContain(mark)
}

/** Once the erasure is visible: nothing of it is left, and what has been parked before cannot bring it back. */
async function expectNoTrace(customer: string, mark: string): Promise<void> {
  expect((await client.read(customer)).body).toMatchObject({ name: "Erased", phone: null, address: null })
  await system.caughtUp()
  expect(await traces.rowsWith(system.reads, mark)).toEqual([])
  await waitFor(async () => (await traces.answersWith(mark)).length === 0, "Redis holds nothing")
  await lockstep(system, "dlq", "redrive", "--all")
  expect(await traces.rowsWith(system.reads, mark)).toEqual([])
  const report = await lockstep(system, "erasure", "report", idOf(customer), "--json")
  expect(JSON.parse(report.out)).toMatchObject({ is_erased: true, findings: [] })
}

const stagedSince = (logged: number): unknown[] =>
  system.query.logs.slice(logged).filter(({ msg }) => msg === "the staged transaction is applied")

test("forgets all of a customer whose orders make the erasure too large for memory", async () => {
  const mark = `mark-${randomUUID()}`
  const customer = await createMarkedCustomer(client, mark)
  const orders = 5_400
  await system.source.query(manyOrders(customer, mark, orders))
  await system.caughtUp()
  const paths = Array.from({ length: 40 }, (_, n) => `/orders/many-${idOf(customer)}-${1 + n * 135}`)
  await waitFor(async () => {
    await Promise.all([customer, ...paths].map((path) => client.read(path, {})))
    return (await traces.answersWith(mark)).length > 40
  }, "answers are cached")
  await parkSome(customer, paths[0] ?? "", mark)
  await traces.leaveGeneration(mark)
  const logged = system.query.logs.length
  const erased = await client.command("DELETE", customer)
  expect([erased.status, erased.text]).toEqual([200, expect.stringContaining(`"orders_touched":${orders}`)])
  await expectNoTrace(customer, mark)
  expect(stagedSince(logged)).toHaveLength(1)
  expect(await traces.deadLetters()).toEqual({ erased: 2, parked: 1 })
  await lockstep(system, "dlq", "discard", "--all", "--yes")
})

test("forgets what was staged of it when the projector is killed", async () => {
  const mark = `mark-${randomUUID()}`
  const customer = await createMarkedCustomer(client, mark)
  await system.caughtUp()
  const logged = system.query.logs.length
  await system.source.query(`
    begin;
    ${manyOrders(customer, mark, 2_000)};
    update orders set note = null, shipping_address = null where customer_id = '${idOf(customer)}';
    update order_events set reason = null where order_id like 'many-${idOf(customer)}-%';
    update customers set name = 'Erased', email = id || '@erased.invalid', phone = null, address = null,
      erased_at = now(), version = version + 1 where id = '${idOf(customer)}';
    commit`)
  const staged = `${await system.liveSchema()}._staged_rows`
  await waitFor(async () => {
    const { rowCount } = await system.reads
      .query(`select from ${staged} where record like '%${mark} note%' limit 1`)
      .catch(() => ({ rowCount: 0 }))
    return rowCount === 1
  }, "it is staged")
  await system.query.kill()
  expect(await traces.rowsWith(system.reads, `${mark} note`)).not.toEqual([])
  await system.query.start()
  await system.caughtUp()
  await expectNoTrace(customer, mark)
  expect(stagedSince(logged)).toHaveLength(1)
})

test("forgets what a fresh generation holds as erased although no change has said so", async () => {
  const mark = `mark-${randomUUID()}`
  const customer = await createMarkedCustomer(client, mark)
  const placed = await client.command("POST", "/orders", {
    customer_id: idOf(customer),
    items: [{ product_id: "product-456", quantity: 2 }],
    note: `${mark} note`,
  })
  const order = placed.headers.get("location") ?? ""
  await client.command("POST", `${order}/cancel`, { reason: `${mark} reason` })
  await system.caughtUp()
  await waitFor(async () => {
    for (const path of [customer, order]) await client.read(path, {})
    return (await traces.answersWith(mark)).length >= 2
  }, "answers are cached")
  const before = await traces.deadLetters()
  await parkSome(customer, order, mark)

  const connector = new URL(`/connectors/${system.connectorName}/`, readEndpoints().connectUrl)
  await fetch(new URL("pause", connector), { method: "PUT" })
  // The connector says so before its task does.
  await waitFor(async () => {
    const status = await (await fetch(new URL("status", connector))).text()
    return status.includes('"PAUSED"') && !status.includes('"RUNNING"')
  }, "it is paused")
  const erased = await client.command("DELETE", customer)
  expect(erased.status).toBe(200)
  const sent = await topics.readAll([`${system.topicPrefix}.public.orders`])
  await rebuild(system)
  expect(await traces.rowsWith(system.reads, mark)).toEqual([])
  await waitFor(async () => (await traces.answersWith(mark)).length === 0, "Redis holds nothing")
  expect(await traces.deadLetters()).toEqual({ ...before, superseded: 3 })
  await fetch(new URL("resume", connector), { method: "PUT" })
  await topics.write(sent.filter(({ value }) => value?.includes(mark) && !value.includes("garbled")))
  await client.placeOrder()
  await expectNoTrace(customer, mark)
})
