// What a change of an order's rows that recorded no event is called, and what is told of it.
import { expect, test } from "vitest"
import type { ImageRow } from "../../../query/cdc/projection/projection.ts"
import { orderEvents } from "../../../query/orders/events.ts"

const draft: ImageRow = { id: "o1", status: "draft", version: "3", refunded_minor: "0", note: "private" }
const rows = (order: ImageRow | null) => (order ? { orders: [order] } : {})
const infer = (before: ImageRow | null, after: ImageRow | null) =>
  orderEvents.infer({
    aggregate: "o1",
    before: rows(before),
    after: rows(after),
    differences: [{ table: "orders", key: [], change: "updated", columns: ["note"] }],
    isWhole: true,
  })

test.each([
  ["OrderCreated", null, draft],
  ["OrderDeleted", draft, null],
  ["OrderUpdated", draft, { ...draft, note: "x" }],
  ["OrderUpdated", null, null],
  ["OrderConfirmed", draft, { ...draft, status: "confirmed" }],
  ["PaymentProcessed", draft, { ...draft, status: "paid" }],
  ["OrderShipped", draft, { ...draft, status: "shipped" }],
  ["OrderDelivered", draft, { ...draft, status: "delivered" }],
  ["OrderCancelled", draft, { ...draft, status: "cancelled", refunded_minor: "5" }],
  ["OrderRefunded", draft, { ...draft, refunded_minor: "5" }],
  ["OrderUpdated", { ...draft, status: "confirmed" }, draft],
  ["OrderUpdated", draft, { ...draft, status: "no status of ours" }],
])("%s", (type, before, after) => {
  expect(infer(before, after).type).toBe(type)
})

test("data lists what changed, and of values those alone that are not personal", () => {
  const { data } = infer(draft, { ...draft, note: "other", status: "paid" })
  expect(data).toMatchObject({
    order_id: "o1",
    version: 3,
    before: { status: "draft" },
    after: { status: "paid" },
  })
  expect(JSON.stringify(data)).not.toMatch(/private|other/)
})
