// Shipments of paid orders: in one parcel or several, out of the stock that was reserved, until all have arrived.
import { randomUUID } from "node:crypto"
import { describe, expect, test } from "vitest"
import { givenService } from "../../given/running-service.ts"
import { confirmedOrder, idOf, keyboardsOf, paidOrder, problemOf } from "../../payments/given/paying.ts"

const service = givenService()

const ship = (path: string, body: object) => service.call("POST", `${path}/shipments`, body)
const stock = () => keyboardsOf(service)

test("a paid order leaves whole, and the stock with it", async () => {
  const before = await stock()
  const path = await paidOrder(service, 3)
  expect(await stock()).toEqual({ on_hand: before.on_hand, reserved: before.reserved + 3n })
  const { status, body } = await ship(path, { carrier: "Post", tracking: "RR 123" })
  expect(status).toBe(200)
  expect(body).toMatchObject({
    status: "shipped",
    shipped_at: expect.any(String),
    items: [{ quantity: 3, reserved: 0, shipped: 3 }],
    shipments: [{ shipment: 1, carrier: "Post", tracking: "RR 123", items: [{ line: 1, quantity: 3 }] }],
  })
  expect(await stock()).toEqual({ on_hand: before.on_hand - 3n, reserved: before.reserved })
  const delivered = await service.call("POST", `${path}/shipments/1/deliver`)
  expect(delivered.body).toMatchObject({ status: "delivered", delivered_at: expect.any(String) })
  const payload = await service.db
    .selectFrom("order_events")
    .select("payload")
    .where("order_id", "=", idOf(path))
    .where("type", "=", "OrderShipped")
    .executeTakeFirstOrThrow()
  expect(JSON.stringify(payload), "a tracking number is personal").not.toContain("RR 123")
})

test("parts leave and arrive in any order", async () => {
  const path = await paidOrder(service, 5)
  const part = await ship(path, { carrier: "Post", items: [{ line: 1, quantity: 2 }] })
  expect(part.body).toMatchObject({ status: "paid", items: [{ reserved: 3, shipped: 2 }] })
  expect((await service.call("POST", `${path}/shipments/1/deliver`)).body).toMatchObject({ status: "paid" })
  const tooMany = await ship(path, { carrier: "Post", items: [{ line: 1, quantity: 4 }] })
  expect(problemOf(tooMany)).toEqual([409, "quantity-exceeds-left"])
  expect(tooMany.body).toMatchObject({ line: 1, left: 3 })
  expect((await ship(path, { carrier: "Bike", items: [{ line: 1, quantity: 1 }] })).body.status).toBe("paid")
  expect((await ship(path, { carrier: "Post" })).body).toMatchObject({ status: "shipped" })
  expect((await service.call("POST", `${path}/shipments/3/deliver`)).body.status).toBe("shipped")
  expect((await service.call("POST", `${path}/shipments/2/deliver`)).body.status).toBe("delivered")
})

test("a part of an order that has left cannot be cancelled with the rest", async () => {
  const path = await paidOrder(service, 2)
  await ship(path, { carrier: "Post", items: [{ line: 1, quantity: 1 }] })
  const cancelled = await service.call("POST", `${path}/cancel`, { reason: "too late" })
  expect(problemOf(cancelled)).toEqual([409, "order-not-cancellable"])
})

describe("refunded in full, an order ends with the part that has left", () => {
  const part = { carrier: "Post", items: [{ line: 1, quantity: 1 }] }
  const refund = (path: string) => service.call("POST", `${path}/refunds`, {})

  test("by the arrival of that part, and its customer can be erased then", async () => {
    const email = `${randomUUID()}@example.com`
    const customer = await service.call("POST", "/customers", { email, name: "n" })
    const path = await paidOrder(service, 3)
    const owned = service.db.updateTable("orders").set({ customer_id: String(customer.body.id) })
    await owned.where("id", "=", idOf(path)).execute()
    const before = await stock()
    await ship(path, part)
    expect((await refund(path)).body).toMatchObject({
      status: "shipped",
      shipped_at: expect.any(String),
      items: [{ quantity: 3, reserved: 0, shipped: 1 }],
    })
    expect(await stock()).toEqual({ on_hand: before.on_hand - 1n, reserved: before.reserved - 3n })
    expect(problemOf(await ship(path, part))).toEqual([409, "order-not-shippable"])
    const erase = () => service.call("DELETE", `/customers/${String(customer.body.id)}`)
    expect(problemOf(await erase())).toEqual([409, "customer-has-open-orders"])
    const delivered = await service.call("POST", `${path}/shipments/1/deliver`)
    expect(delivered.body).toMatchObject({ status: "delivered", delivered_at: expect.any(String) })
    expect((await erase()).status).toBe(200)
  })

  test("at once, if that part has arrived", async () => {
    const path = await paidOrder(service, 2)
    await ship(path, part)
    await service.call("POST", `${path}/shipments/1/deliver`)
    const { body } = await refund(path)
    expect(body).toMatchObject({ status: "delivered", items: [{ reserved: 0, shipped: 1 }] })
    expect(body.delivered_at).toBe(body.shipped_at)
  })

  test("and not before all of it is given back", async () => {
    const path = await confirmedOrder(service, 2)
    await service.call("POST", `${path}/payments`, { amount: "10.00" })
    await service.call("POST", `${path}/payments`, { method_token: "sandbox-refund-declined" })
    const before = await stock()
    await ship(path, part)
    const { body } = await refund(path)
    expect(body.refunds).toMatchObject([{ status: "succeeded" }, { status: "failed" }])
    expect(body).toMatchObject({ status: "paid", items: [{ reserved: 1, shipped: 1 }] })
    expect((await ship(path, part)).body).toMatchObject({ status: "shipped" })
    expect(await stock()).toEqual({ on_hand: before.on_hand - 2n, reserved: before.reserved - 2n })
  })
})

test("what was not paid, is not there or has arrived is refused", async () => {
  const unpaid = await confirmedOrder(service)
  expect(problemOf(await ship(unpaid, { carrier: "Post" }))).toEqual([409, "order-not-shippable"])
  const deliver = (path: string, shipment: number) =>
    service.call("POST", `${path}/shipments/${shipment}/deliver`)
  expect(problemOf(await deliver(unpaid, 1))).toEqual([409, "order-not-deliverable"])
  const path = await paidOrder(service)
  const nowhere = await ship(path, { carrier: "Post", items: [{ line: 9, quantity: 1 }] })
  expect(problemOf(nowhere)).toEqual([404, "line-not-found"])
  expect(problemOf(await deliver(path, 1))).toEqual([404, "shipment-not-found"])
  await ship(path, { carrier: "Post", items: [{ line: 1, quantity: 1 }] })
  await deliver(path, 1)
  expect(problemOf(await deliver(path, 1))).toEqual([409, "shipment-delivered"])
  const twice = await ship(path, {
    carrier: "Post",
    items: [
      { line: 1, quantity: 1 },
      { line: 1, quantity: 1 },
    ],
  })
  expect(problemOf(twice)).toEqual([422, "invalid-request"])
})
