// Payments and refunds against the sandbox provider, which is told how to behave: what a customer is charged is what the
// order says, whatever answer is lost, late or repeated.
// One file: it is one subject, and one provider is told how to behave.
import { describe, expect, test } from "vitest"
import { givenService } from "../../given/running-service.ts"
import {
  confirmedOrder,
  eventsOf,
  hasty,
  look,
  moved,
  paidOrder,
  problemOf,
  settled,
} from "../../payments/given/paying.ts"

const service = givenService(hasty)

const pay = (path: string, body: object = {}, headers: Record<string, string> = {}) =>
  service.call("POST", `${path}/payments`, body, headers)

describe("a payment", () => {
  test("of all that is due makes the order paid", async () => {
    const path = await confirmedOrder(service)
    const { status, body, headers } = await pay(path)
    expect([status, headers.get("etag")]).toEqual([200, '"4"'])
    expect(body).toMatchObject({
      status: "paid",
      captured: { amount: "59.98", currency: "USD" },
      reserved_until: null,
      paid_at: expect.any(String),
      payments: [{ payment: 1, status: "captured", provider: "sandbox", captured: { amount: "59.98" } }],
    })
    expect(await eventsOf(service, path)).toEqual([
      "OrderCreated",
      "OrderConfirmed",
      "PaymentRequested",
      "PaymentProcessed",
    ])
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
  })

  test("in parts makes it paid with the last one, and never more than the total is taken", async () => {
    const path = await confirmedOrder(service)
    expect((await pay(path, { amount: "20" })).body).toMatchObject({
      status: "confirmed",
      captured: { amount: "20.00" },
    })
    const tooMuch = await pay(path, { amount: "39.99" })
    expect(problemOf(tooMuch)).toEqual([409, "payment-exceeds-total"])
    expect(tooMuch.body.at_most).toEqual({ amount: "39.98", currency: "USD" })
    expect((await pay(path, { amount: 39.98 })).body).toMatchObject({ status: "paid" })
    expect(problemOf(await pay(path))).toEqual([409, "order-not-payable"])
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
  })

  test("sent ten times at once is one payment", async () => {
    const path = await confirmedOrder(service)
    const answers = await Promise.all(Array.from({ length: 10 }, () => pay(path)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
  })

  test("that is declined leaves the order as it was, and another may follow", async () => {
    const path = await confirmedOrder(service)
    const declined = await pay(path, { method_token: "sandbox-declined" })
    expect(declined.body).toMatchObject({
      status: "confirmed",
      payments: [{ status: "declined", failure: "card-declined" }],
    })
    expect((await pay(path)).body).toMatchObject({ status: "paid", captured: { amount: "59.98" } })
  })

  test("that is only authorized is captured later", async () => {
    const path = await confirmedOrder(service)
    const authorized = await pay(path, { capture: false })
    expect(authorized.body).toMatchObject({ status: "confirmed", payments: [{ status: "authorized" }] })
    expect(problemOf(await pay(path))).toEqual([409, "payment-exceeds-total"])
    expect(await moved(service, path)).toEqual({ taken: 0n, given: 0n })
    const captured = await service.call("POST", `${path}/payments/1/capture`)
    expect(captured.body).toMatchObject({ status: "paid", payments: [{ status: "captured" }] })
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
  })

  test("whose capture is declined makes room for another", async () => {
    const path = await confirmedOrder(service)
    await pay(path, { capture: false, method_token: "sandbox-capture-declined" })
    const captured = await service.call("POST", `${path}/payments/1/capture`)
    expect(captured.body).toMatchObject({
      payments: [{ status: "declined", failure: "authorization-expired" }],
    })
    expect((await pay(path)).body).toMatchObject({ status: "paid" })
  })
})

describe("a provider", () => {
  test.each(["sandbox-hangs", "sandbox-loses-answer"])(
    "that gives no answer (%s) is asked again, and charges once",
    async (method_token) => {
      const path = await confirmedOrder(service)
      const first = await pay(path, { method_token })
      expect(first.status, first.text).toBe(202)
      expect(await settled(service, path)).toMatchObject({ status: "paid", captured_minor: 5998n })
      expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
      expect(await eventsOf(service, path)).toEqual([
        "OrderCreated",
        "OrderConfirmed",
        "PaymentRequested",
        "PaymentOutcomeUnknown",
        "PaymentProcessed",
      ])
    },
  )

  test("that answers three times is heard once", async () => {
    const path = await confirmedOrder(service)
    const { body } = await pay(path, { method_token: "sandbox-repeats-itself" })
    expect(body).toMatchObject({ status: "paid", version: 4, captured: { amount: "59.98" } })
    expect(await look(service, path)).toMatchObject({ version: 4, captured_minor: 5998n })
  })

  test("that answers late finds the order cancelled, and gives the money back", async () => {
    for (const capture of [true, false]) {
      const path = await confirmedOrder(service)
      await pay(path, { method_token: "sandbox-loses-answer", capture })
      const cancelled = await service.call("POST", `${path}/cancel`, { reason: "took too long" })
      expect([200, 202]).toContain(cancelled.status)
      const end = await settled(service, path)
      expect(end).toMatchObject({
        status: "cancelled",
        payments: [{ status: capture ? "captured" : "voided" }],
      })
      expect(end.captured_minor).toBe(end.refunded_minor)
      const { taken, given } = await moved(service, path)
      expect(given).toBe(taken)
    }
  })
})

describe("a keyed payment", () => {
  test("is answered with its outcome when it is sent again, and charges once", async () => {
    const path = await confirmedOrder(service)
    const key = { "Idempotency-Key": `pay ${path}` }
    const first = await pay(path, {}, key)
    const again = await pay(path, {}, key)
    expect(again.text).toBe(first.text)
    expect(again.headers.get("idempotency-replayed")).toBe("true")
    expect(again.body).toMatchObject({ status: "paid" })
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 0n })
  })

  test("whose outcome was unknown is answered with it once it is known", async () => {
    const path = await confirmedOrder(service)
    const key = { "Idempotency-Key": `pay late ${path}` }
    const body = { method_token: "sandbox-hangs" }
    expect((await pay(path, body, key)).status).toBe(202)
    await settled(service, path)
    const again = await pay(path, body, key)
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([200, "true"])
    expect(again.body).toMatchObject({ status: "paid", payments: [{ payment: 1, status: "captured" }] })
  })
})

describe("a refund", () => {
  const refund = (path: string, body: object = {}) => service.call("POST", `${path}/refunds`, body)

  test("in parts never exceeds what was captured", async () => {
    const path = await paidOrder(service)
    expect((await refund(path, { amount: "9.98", reason: "a scratch" })).body).toMatchObject({
      status: "paid",
      refunded: { amount: "9.98" },
      refunds: [{ refund: 1, payment: 1, status: "succeeded", amount: { amount: "9.98" } }],
    })
    const tooMuch = await refund(path, { amount: "50.01" })
    expect(problemOf(tooMuch)).toEqual([409, "refund-exceeds-captured"])
    expect(tooMuch.body.at_most).toEqual({ amount: "50.00", currency: "USD" })
    expect((await refund(path)).body).toMatchObject({ refunded: { amount: "59.98" } })
    expect(problemOf(await refund(path))).toEqual([409, "refund-exceeds-captured"])
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 5998n })
  })

  test("of several payments is taken from each", async () => {
    const path = await confirmedOrder(service)
    await pay(path, { amount: "20.00" })
    await pay(path)
    const { body } = await refund(path, { amount: "30.00" })
    expect(body).toMatchObject({
      refunded: { amount: "30.00" },
      refunds: [
        { payment: 1, amount: { amount: "20.00" } },
        { payment: 2, amount: { amount: "10.00" } },
      ],
    })
  })

  test("in full ends the wait for stock, and nothing is shipped any more", async () => {
    const path = await paidOrder(service)
    const { body } = await refund(path)
    expect(body.items).toMatchObject([{ quantity: 2, reserved: 0 }])
    const shipped = await service.call("POST", `${path}/shipments`, { carrier: "Post" })
    expect(problemOf(shipped)).toEqual([409, "order-refunded"])
  })

  test("that the provider refuses may be tried again", async () => {
    const path = await paidOrder(service, 1, "sandbox-refund-declined")
    expect((await refund(path)).body).toMatchObject({
      refunded: { amount: "0.00" },
      refunds: [{ status: "failed", failure: "account-closed" }],
    })
    expect((await refund(path)).body.refunds).toHaveLength(2)
  })

  test("whose answer is lost is found out, and given once", async () => {
    const path = await confirmedOrder(service)
    await pay(path, { method_token: "sandbox-loses-answer" })
    await settled(service, path)
    expect((await refund(path)).status).toBe(202)
    expect(await settled(service, path)).toMatchObject({ status: "paid", refunded_minor: 5998n })
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 5998n })
  })
})

describe("cancelling", () => {
  test("a paid order gives the money and the stock back", async () => {
    const path = await paidOrder(service)
    const { status, body } = await service.call("POST", `${path}/cancel`, { reason: "no longer wanted" })
    expect(status).toBe(200)
    expect(body).toMatchObject({
      status: "cancelled",
      refunded: { amount: "59.98" },
      items: [{ reserved: 0 }],
      refunds: [{ status: "succeeded" }],
    })
    expect(await moved(service, path)).toEqual({ taken: 5998n, given: 5998n })
  })

  test("an order with an authorized payment lets go of it", async () => {
    const path = await confirmedOrder(service)
    await pay(path, { capture: false })
    const { body } = await service.call("POST", `${path}/cancel`, { reason: "no longer wanted" })
    expect(body).toMatchObject({ status: "cancelled", payments: [{ status: "voided" }], refunds: [] })
  })
})

describe("an order that costs nothing", () => {
  test("is paid when it is confirmed", async () => {
    await service.db
      .insertInto("products")
      .values({ id: "gift", name: "Gift", price_minor: 0n, currency: "USD" })
      .execute()
    const created = await service.call("POST", "/orders", {
      customer_id: "customer-123",
      items: [{ product_id: "gift", quantity: 1 }],
    })
    const { body } = await service.call("POST", `${created.headers.get("location")}/confirm`)
    expect(body).toMatchObject({ status: "paid", total: { amount: "0.00" }, payments: [] })
  })
})
