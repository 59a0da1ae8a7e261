import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { deriveAll, insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const { app } = givenReadSide("routes", async ({ db }) => {
  await insertCustomer(db, "customer-1")
  await insertCustomer(db, "customer-2")
  await insertOrder(db, {
    id: "order-1",
    version: 3,
    discountMinor: 998n,
    items: [
      ["product-1", 2, 2999n],
      ["product-2", 1, 500n],
    ],
  })
  await insertOrder(db, { id: "order-yen", currency: "JPY", items: [["product-3", 3, 1500n]] })
  await insertOrder(db, {
    id: "order-dinar",
    currency: "KWD",
    items: [["product-4", 1, 9007199254740993n]],
  })
  await insertOrder(db, { id: "order-orphan", customerId: "nobody" })
  await insertOrder(db, { id: "order-gone" })
  await sql`update read_1.orders set deleted = true where id = 'order-gone'`.execute(db)
  await insertOrder(db, { id: "order-off", status: "cancelled", items: [["product-1", 1, 2999n]] })
  await sql`insert into read_1.payments (order_id, payment, status, amount_minor, captured_minor, refunded_minor,
      currency, provider, created_at, updated_at, deleted)
    values ('order-1', 1, 'captured', 5500, 5500, 0, 'USD', 'test', '2025-06-02', '2025-06-02', false)`.execute(
    db,
  )
  await sql`update read_1.order_items set deleted = true where order_id = 'order-yen' and line = 9`.execute(
    db,
  )
  await deriveAll(db)
})

const json = async (response: Response): Promise<unknown> => {
  expect(response.status).toBe(200)
  expect(response.headers.get("content-type")).toBe("application/json")
  return await response.json()
}

describe("an order", () => {
  test("has its items, customer, payments and money as decimal text", async () => {
    expect(await json(await app.get("/orders/order-1"))).toEqual({
      id: "order-1",
      status: "draft",
      version: 3,
      customer: { id: "customer-1", name: "Name of customer-1", email: "customer-1@example.com" },
      currency: "USD",
      items: [
        {
          line: 1,
          product_id: "product-1",
          quantity: 2,
          reserved: 0,
          shipped: 0,
          unit_price: { amount: "29.99", currency: "USD" },
          total: { amount: "59.98", currency: "USD" },
        },
        {
          line: 2,
          product_id: "product-2",
          quantity: 1,
          reserved: 0,
          shipped: 0,
          unit_price: { amount: "5.00", currency: "USD" },
          total: { amount: "5.00", currency: "USD" },
        },
      ],
      subtotal: { amount: "64.98", currency: "USD" },
      discount: { amount: "9.98", currency: "USD" },
      shipping: { amount: "0.00", currency: "USD" },
      tax: { amount: "0.00", currency: "USD" },
      total: { amount: "55.00", currency: "USD" },
      captured: { amount: "0.00", currency: "USD" },
      refunded: { amount: "0.00", currency: "USD" },
      due: { amount: "55.00", currency: "USD" },
      discount_codes: [],
      pricing: null,
      payments: [
        {
          payment: 1,
          status: "captured",
          amount: { amount: "55.00", currency: "USD" },
          captured: { amount: "55.00", currency: "USD" },
          refunded: { amount: "0.00", currency: "USD" },
          provider: "test",
          provider_reference: null,
          created_at: "2025-06-02T00:00:00.000000Z",
          updated_at: "2025-06-02T00:00:00.000000Z",
        },
      ],
      refunds: [],
      shipments: [],
      country: null,
      shipping_address: { city: "New York" },
      note: null,
      cancel_reason: null,
      created_at: "2025-06-01T10:20:30.123456Z",
      updated_at: "2025-06-01T10:20:30.123456Z",
      confirmed_at: null,
      reserved_until: null,
      paid_at: null,
      shipped_at: null,
      delivered_at: null,
      cancelled_at: null,
    })
  })

  test("shows currencies without and with three fraction digits exactly", async () => {
    expect(await json(await app.get("/orders/order-yen"))).toMatchObject({
      total: { amount: "4500", currency: "JPY" },
    })
    expect(await json(await app.get("/orders/order-dinar"))).toMatchObject({
      total: { amount: "9007199254740.993", currency: "KWD" },
    })
  })

  test("shows the customer's id when the customer is not there", async () => {
    expect(await json(await app.get("/orders/order-orphan"))).toMatchObject({
      customer: { id: "nobody", name: null, email: null },
    })
  })

  test.each(["/orders/unknown", "/orders/order-gone", "/orders/order-gone/history"])(
    "%s that is unknown or deleted is a 404 problem",
    async (path) => {
      const response = await app.get(path)
      expect(response.status).toBe(404)
      expect(response.headers.get("content-type")).toBe("application/problem+json")
      expect(await response.json()).toEqual({
        type: "urn:lockstep:problem:order-not-found",
        title: "Order not found",
        status: 404,
        detail: "There is nothing with this id.",
        instance: path,
      })
    },
  )

  test("has one history entry per version, in order", async () => {
    const body = await json(await app.get("/orders/order-1/history"))
    expect(body).toMatchObject({
      order_id: "order-1",
      events: [
        { version: 1, type: "OrderCreated", payload: { n: 1 }, actor: null, reason: null, request_id: null },
        { version: 2, type: "OrderUpdated" },
        { version: 3, type: "OrderUpdated", occurred_at: "2025-06-01T10:20:30.123456Z" },
      ],
    })
  })
})

describe("a customer", () => {
  test("has totals per currency, cancelled orders counted apart", async () => {
    expect(await json(await app.get("/customers/customer-1"))).toMatchObject({
      id: "customer-1",
      email: "customer-1@example.com",
      address: { city: "Ulm" },
      version: 1,
      totals: [
        { currency: "JPY", orders: 1, total: { amount: "4500", currency: "JPY" } },
        { currency: "KWD", orders: 1 },
        {
          currency: "USD",
          orders: 1,
          gross: { amount: "64.98", currency: "USD" },
          discount: { amount: "9.98", currency: "USD" },
          total: { amount: "55.00", currency: "USD" },
          cancelled: 1,
        },
      ].map((total) => expect.objectContaining(total)),
    })
  })

  test("has a history of orders beside the totals", async () => {
    const body = await json(await app.get("/customers/customer-1/orders?limit=100"))
    expect(body).toMatchObject({
      customer: { id: "customer-1", name: "Name of customer-1" },
      orders: [{ id: "order-yen" }, { id: "order-off" }, { id: "order-dinar" }, { id: "order-1", items: 3 }],
      next: null,
    })
  })

  test("without orders has empty totals and orders", async () => {
    expect(await json(await app.get("/customers/customer-2/orders"))).toEqual({
      customer: { id: "customer-2", name: "Name of customer-2", email: "customer-2@example.com" },
      totals: [],
      orders: [],
      next: null,
    })
  })

  test.each(["/customers/unknown", "/customers/unknown/orders"])("%s is a 404 problem", async (path) => {
    const response = await app.get(path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: "urn:lockstep:problem:customer-not-found" })
  })
})
