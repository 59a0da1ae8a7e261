// The answer about one order that has gone all the way: what it was priced by, paid, refunded and shipped.
import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const { models, app } = givenReadSide("order", async ({ db }) => {
  await insertCustomer(db, "customer-1")
  await insertOrder(db, {
    id: "order-1",
    status: "paid",
    capturedMinor: 6000n,
    refundedMinor: 1000n,
    country: "DE",
    items: [
      ["product-1", 2, 2999n],
      ["product-2", 3, 500n],
    ],
  })
  await sql`update read_1.orders set total_minor = 7500, discount_codes = '{SPRING}', pricing = ${JSON.stringify(
    {
      discounts: [
        { id: "d-1", code: "SPRING", amount_minor: "998" },
        { id: "d-2", code: null, amount_minor: "1" },
      ],
      shipping: { rule: "parcel", weight_grams: "1200" },
      tax: { country: "DE", basis_points: 1900 },
    },
  )}, confirmed_at = '2025-06-01T11:00:00Z', reserved_until = '2025-06-01T12:00:00Z', paid_at = '2025-06-01T11:30:00Z'
    where id = 'order-1'`.execute(db)
  await sql`update read_1.order_items set reserved_quantity = 1, shipped_quantity = 1
    where order_id = 'order-1' and line = 1`.execute(db)
  await sql`insert into read_1.refunds (order_id, refund, payment, status, amount_minor, currency, reason, created_at,
      updated_at, deleted) values
    ('order-1', 1, 1, 'succeeded', 1000, 'USD', 'a scratch', '2025-06-03', '2025-06-03', false),
    ('order-1', 2, 1, 'failed', 1, 'USD', null, '2025-06-03', '2025-06-04', true)`.execute(db)
  await sql`insert into read_1.shipments (order_id, shipment, carrier, tracking, created_at, updated_at, delivered_at,
      deleted) values ('order-1', 1, 'dhl', 'T-1', '2025-06-02', '2025-06-02', '2025-06-05', false),
      ('order-1', 2, 'ups', null, '2025-06-03', '2025-06-03', null, false)`.execute(db)
  await sql`insert into read_1.shipment_items (order_id, shipment, line, quantity, deleted) values
    ('order-1', 1, 1, 1, false), ('order-1', 2, 2, 3, false), ('order-1', 2, 9, 1, false),
    ('order-1', 1, 2, 1, true)`.execute(db)
})

const read = async (): Promise<unknown> => {
  const response = await app.get("/orders/order-1")
  expect(response.status).toBe(200)
  return await response.json()
}
const usd = (amount: string) => ({ amount, currency: "USD" })

describe("the answer about an order", () => {
  test("says what is paid, given back and still due, and when what happened", async () => {
    expect(await read()).toMatchObject({
      total: usd("75.00"),
      captured: usd("60.00"),
      refunded: usd("10.00"),
      due: usd("15.00"),
      country: "DE",
      confirmed_at: "2025-06-01T11:00:00.000000Z",
      reserved_until: "2025-06-01T12:00:00.000000Z",
      paid_at: "2025-06-01T11:30:00.000000Z",
      shipped_at: null,
    })
  })

  test("has refunds, and shipments with what is in them, without deleted ones", async () => {
    expect(await read()).toMatchObject({
      items: [
        { line: 1, reserved: 1, shipped: 1 },
        { line: 2, reserved: 0, shipped: 0 },
      ],
      refunds: [{ refund: 1, payment: 1, status: "succeeded", amount: usd("10.00"), reason: "a scratch" }],
      shipments: [
        {
          shipment: 1,
          carrier: "dhl",
          tracking: "T-1",
          items: [{ line: 1, product_id: "product-1", quantity: 1 }],
          delivered_at: "2025-06-05T00:00:00.000000Z",
        },
        {
          shipment: 2,
          tracking: null,
          items: [
            { line: 2, product_id: "product-2", quantity: 3 },
            { line: 9, product_id: null, quantity: 1 },
          ],
          delivered_at: null,
        },
      ],
    })
  })

  test("shows how its sums came about", async () => {
    expect(await read()).toMatchObject({
      discount_codes: ["SPRING"],
      pricing: {
        discounts: [
          { id: "d-1", code: "SPRING", amount: usd("9.98") },
          { id: "d-2", code: null, amount: usd("0.01") },
        ],
        shipping: { rule: "parcel", weight_grams: "1200" },
        tax: { country: "DE", basis_points: 1900 },
      },
    })
  })

  test.each([
    ["[]", null],
    ['"none"', null],
    ["{}", { discounts: [], shipping: null, tax: null }],
    ['{"discounts": "all", "shipping": [], "tax": 19}', { discounts: [], shipping: null, tax: null }],
    [
      '{"discounts": [1, {"id": "a", "amount_minor": "1.5"}, {"amount_minor": "1"}], "shipping": {"weight_grams": 1e99}, "tax": {"basis_points": "x"}}',
      {
        discounts: [],
        shipping: { rule: null, weight_grams: null },
        tax: { country: null, basis_points: null },
      },
    ],
  ])("passes over what is no breakdown: %s", async (pricing, shown) => {
    await models.commit(async (trx) => {
      await sql`update read_1.orders set pricing = ${pricing}::jsonb where id = 'order-1'`.execute(trx)
    })
    expect(await read()).toMatchObject({ pricing: shown })
  })

  test("asks nothing more of who cancelled", async () => {
    await models.commit(async (trx) => {
      await sql`update read_1.orders set status = 'cancelled' where id = 'order-1'`.execute(trx)
    })
    expect(await read()).toMatchObject({ status: "cancelled", due: usd("0.00") })
  })
})
