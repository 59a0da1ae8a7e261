// Which cached answers a change makes stale: every one that shows it, also that of a customer whom an order has left.
import { beforeEach, expect, test } from "vitest"
import { applyChanges, tablesByName } from "../../../query/cdc/rows/apply-changes.ts"
import { foldTransactions } from "../../../query/cdc/rows/batch.ts"
import type { DataRecord } from "../../../query/cdc/vocabulary/change.ts"
import { orderProjections } from "../../../query/orders/projections.ts"
import { givenGeneration, remove, tableOf, transaction, upsert } from "../cdc/given/generation.ts"

const [orders, items, payments, shipments, customers, products, inventory] = [
  "orders",
  "order_items",
  "payments",
  "shipments",
  "customers",
  "products",
  "inventory",
].map((name) => tableOf(orderProjections, name))

const generation = givenGeneration("cache_keys", orderProjections)
let at = 100
beforeEach(async () => {
  await generation.empty()
  at = 100
  await staleAfter(put(orders, order), put(items, item))
})

const order = {
  id: "o",
  customer_id: "c1",
  status: "paid",
  currency: "USD",
  created_at: "2025-01-01T00:00:00Z",
}
const item = { order_id: "o", line: 1, product_id: "p", quantity: 2, unit_price_minor: 5n }

const put = (table: typeof orders, values: Parameters<typeof upsert>[2]): DataRecord => {
  if (!table) throw new Error("no such table")
  return upsert(table, ++at, values)
}
const drop = (table: typeof orders, ...key: string[]): DataRecord => {
  if (!table) throw new Error("no such table")
  return remove(table, ++at, ...key)
}

async function staleAfter(...records: DataRecord[]): Promise<string[]> {
  const batch = foldTransactions([transaction(++at, records)], tablesByName(orderProjections))
  const changed = await generation.db
    .transaction()
    .execute((trx) => applyChanges(trx, generation.target, batch))
  return [...changed.cacheKeys].sort()
}

test("a change of an order: the order, and its customer, who shows it", async () => {
  expect(await staleAfter(put(orders, { ...order, note: "x" }))).toEqual(["customer:c1", "order:o"])
})
test("an order that moves: both customers", async () => {
  expect(await staleAfter(put(orders, { ...order, customer_id: "c2" }))).toEqual([
    "customer:c1",
    "customer:c2",
    "order:o",
  ])
})
test("an order that goes: its customer", async () => {
  expect(await staleAfter(drop(orders, "o"))).toEqual(["customer:c1", "order:o"])
})
test("an item: the order, and its customer", async () => {
  expect(await staleAfter(put(items, { ...item, quantity: 3 }))).toEqual(["customer:c1", "order:o"])
})
test("a payment, a shipment: the order", async () => {
  expect(await staleAfter(put(payments, { order_id: "o", payment: 1, amount_minor: 1n }))).toEqual([
    "order:o",
  ])
  expect(await staleAfter(put(shipments, { order_id: "o", shipment: 1 }))).toEqual(["order:o"])
})
test("a customer: their page and their orders", async () => {
  expect(await staleAfter(put(customers, { id: "c1", name: "n" }))).toEqual(["customer:c1", "order:o"])
})
test("a product, and its stock", async () => {
  expect(await staleAfter(put(products, { id: "p", name: "n" }))).toEqual(["product:p"])
  expect(await staleAfter(put(inventory, { product_id: "p", on_hand: 1n, reserved: 0n }))).toEqual([
    "inventory:p",
    "product:p",
  ])
})
