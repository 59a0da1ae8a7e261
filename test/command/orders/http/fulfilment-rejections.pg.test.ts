// Every way in which a command after confirming is refused, over HTTP, and what any write route does with a wrong version,
// a wrong content type and a body that is none. A refusal changes nothing.
import { beforeAll, describe, expect, test } from "vitest"
import { givenService } from "../../given/running-service.ts"
import { confirmedOrder, hasty, idOf, paidOrder, problemOf } from "../../payments/given/paying.ts"

const service = givenService(hasty)
/** One order in each state, shared: whatever is refused leaves them as they are. */
let orders: Record<string, string>

beforeAll(async () => {
  const partly = await paidOrder(service, 2)
  const ended = await paidOrder(service, 2)
  const shipped = await paidOrder(service, 2)
  const delivered = await paidOrder(service, 1)
  const refunded = await paidOrder(service, 1)
  const cancelled = await confirmedOrder(service)
  const authorized = await confirmedOrder(service)
  const send = async (path: string, below: string, body?: object) =>
    expect((await service.call("POST", path + below, body)).status, below).toBe(200)
  await send(partly, "/shipments", { carrier: "Post", items: [{ line: 1, quantity: 1 }] })
  await send(ended, "/shipments", { carrier: "Post", items: [{ line: 1, quantity: 1 }] })
  await send(ended, "/refunds")
  await send(shipped, "/shipments", { carrier: "Post" })
  await send(delivered, "/shipments", { carrier: "Post" })
  await send(delivered, "/shipments/1/deliver")
  await send(refunded, "/refunds")
  await send(cancelled, "/cancel", { reason: "r" })
  await send(authorized, "/payments", { amount: "1.00", capture: false })
  const draft = await service.createDraft(2)
  const confirmed = await confirmedOrder(service)
  const paid = await paidOrder(service, 2)
  orders = { draft, confirmed, authorized, paid, partly, ended, shipped, delivered, refunded, cancelled }
  orders.unknown = "/orders/nowhere"
}, 60_000)

const pay = { amount: "1.00" }
const parcel = { carrier: "Post" }

const refusals: [code: string, status: number, order: string, below: string, body: object | undefined][] = [
  ["order-not-found", 404, "unknown", "/payments", pay],
  ["order-not-found", 404, "unknown", "/payments/1/capture", undefined],
  ["order-not-found", 404, "unknown", "/refunds", pay],
  ["order-not-found", 404, "unknown", "/shipments", parcel],
  ["order-not-found", 404, "unknown", "/shipments/1/deliver", undefined],
  ["order-not-payable", 409, "draft", "/payments", pay],
  ["order-not-payable", 409, "paid", "/payments", pay],
  ["order-not-payable", 409, "shipped", "/payments", pay],
  ["order-not-payable", 409, "delivered", "/payments", pay],
  ["order-not-payable", 409, "cancelled", "/payments", pay],
  ["order-not-payable", 409, "paid", "/payments/1/capture", undefined],
  ["payment-exceeds-total", 409, "confirmed", "/payments", { amount: "59.99" }],
  ["payment-exceeds-total", 409, "authorized", "/payments", { amount: "58.99" }],
  ["payment-exceeds-total", 409, "confirmed", "/payments", { amount: "9999999999999999999" }],
  ["amount-invalid", 422, "confirmed", "/payments", { amount: "0.00" }],
  ["amount-invalid", 422, "confirmed", "/payments", { amount: "1.001" }],
  ["payment-not-found", 404, "confirmed", "/payments/1/capture", undefined],
  ["payment-not-found", 404, "authorized", "/payments/999999999/capture", undefined],
  ["order-not-refundable", 409, "draft", "/refunds", pay],
  ["order-not-refundable", 409, "confirmed", "/refunds", pay],
  ["refund-exceeds-captured", 409, "paid", "/refunds", { amount: "59.99" }],
  ["refund-exceeds-captured", 409, "refunded", "/refunds", pay],
  ["refund-exceeds-captured", 409, "refunded", "/refunds", {}],
  ["refund-exceeds-captured", 409, "ended", "/refunds", {}],
  ["refund-exceeds-captured", 409, "cancelled", "/refunds", {}],
  ["amount-invalid", 422, "paid", "/refunds", { amount: "0" }],
  ["order-not-shippable", 409, "draft", "/shipments", parcel],
  ["order-not-shippable", 409, "confirmed", "/shipments", parcel],
  ["order-not-shippable", 409, "shipped", "/shipments", parcel],
  ["order-not-shippable", 409, "ended", "/shipments", parcel],
  ["order-not-shippable", 409, "cancelled", "/shipments", parcel],
  ["order-refunded", 409, "refunded", "/shipments", parcel],
  ["line-not-found", 404, "paid", "/shipments", { ...parcel, items: [{ line: 2, quantity: 1 }] }],
  ["quantity-exceeds-left", 409, "paid", "/shipments", { ...parcel, items: [{ line: 1, quantity: 3 }] }],
  ["quantity-exceeds-left", 409, "partly", "/shipments", { ...parcel, items: [{ line: 1, quantity: 2 }] }],
  ["order-not-deliverable", 409, "draft", "/shipments/1/deliver", undefined],
  ["order-not-deliverable", 409, "delivered", "/shipments/1/deliver", undefined],
  ["shipment-not-found", 404, "paid", "/shipments/1/deliver", undefined],
  ["shipment-not-found", 404, "shipped", "/shipments/2/deliver", undefined],
  ["order-not-cancellable", 409, "partly", "/cancel", { reason: "r" }],
  ["order-not-cancellable", 409, "ended", "/cancel", { reason: "r" }],
  ["order-not-cancellable", 409, "shipped", "/cancel", { reason: "r" }],
  ["order-not-cancellable", 409, "delivered", "/cancel", { reason: "r" }],
  ["order-not-cancellable", 409, "cancelled", "/cancel", { reason: "r" }],
  ["invalid-request", 422, "confirmed", "/payments", { amount: "-1" }],
  ["invalid-request", 422, "confirmed", "/payments", { amount: "1e3" }],
  ["invalid-request", 422, "confirmed", "/payments", { method_token: "" }],
  ["invalid-request", 422, "confirmed", "/payments", { method_token: "x".repeat(201) }],
  ["invalid-request", 422, "confirmed", "/payments", { capture: "yes" }],
  ["invalid-request", 422, "confirmed", "/payments", { total: "1.00" }],
  ["invalid-request", 422, "confirmed", "/payments/0/capture", undefined],
  ["invalid-request", 422, "confirmed", "/payments/x/capture", undefined],
  ["invalid-request", 422, "confirmed", "/payments/1/capture", { amount: "1.00" }],
  ["invalid-request", 422, "paid", "/refunds", { reason: " " }],
  ["invalid-request", 422, "paid", "/shipments", {}],
  ["invalid-request", 422, "paid", "/shipments", { carrier: "a\0b" }],
  ["invalid-request", 422, "paid", "/shipments", { carrier: "x".repeat(101) }],
  ["invalid-request", 422, "paid", "/shipments", { ...parcel, items: [] }],
  ["invalid-request", 422, "paid", "/shipments", { ...parcel, items: [{ line: 1, quantity: 0 }] }],
  ["invalid-request", 422, "paid", "/shipments", { ...parcel, items: [{ line: 1, quantity: 0.5 }] }],
  ["invalid-request", 422, "paid", "/shipments/1.5/deliver", undefined],
]

describe("a refused command", () => {
  test.each(refusals)("%s (%i): %s order, POST %s %j", async (code, status, order, below, body) => {
    const path = orders[order] ?? ""
    const before = await rowOf(path)
    const answer = await service.call("POST", path + below, body)
    expect(problemOf(answer)).toEqual([status, code])
    expect(await rowOf(path)).toEqual(before)
  })
})

const routes: [below: string, body: object | undefined][] = [
  ["/payments", pay],
  ["/payments/1/capture", undefined],
  ["/refunds", pay],
  ["/shipments", parcel],
  ["/shipments/1/deliver", undefined],
]

describe.each(routes)("POST %s", (below, body) => {
  test("of another version is refused with the present one", async () => {
    const { status, body: problem } = await service.call("POST", orders.paid + below, body, {
      "If-Match": '"1"',
    })
    expect([status, problem.type]).toEqual([412, "urn:lockstep:problem:version-mismatch"])
    expect(problem.current_version).toBe((await rowOf(orders.paid ?? ""))?.version)
  })

  test("with a content type that is wrong or absent is refused", async () => {
    for (const type of ["text/plain", "application/xml", "application/json; charset=latin1"]) {
      const answer = await service.call("POST", orders.paid + below, "{}", { "Content-Type": type })
      expect(problemOf(answer)).toEqual([415, "unsupported-media-type"])
    }
    const bare = await fetch(`${service.url}${orders.paid}${below}`, {
      method: "POST",
      body: new TextEncoder().encode("{}"),
    })
    expect(bare.status).toBe(415)
  })

  test("with a body that is no JSON is refused", async () => {
    for (const text of ["{", '{"amount": 1, "amount": 2}', '{"amount": 12345678901234567890}']) {
      const answer = await service.call("POST", orders.paid + below, text)
      expect(problemOf(answer)).toEqual([400, "malformed-json"])
    }
  })
})

describe("two writers of one order", () => {
  test("that ship the same part: one does, the other learns what is left", async () => {
    const path = await paidOrder(service, 2)
    const item = { ...parcel, items: [{ line: 1, quantity: 2 }] }
    const answers = await Promise.all([1, 2].map(() => service.call("POST", `${path}/shipments`, item)))
    expect(answers.map(({ status }) => status).sort((one, other) => one - other)).toEqual([200, 409])
  })

  test("that pay and cancel: the money stays only where the order is paid", async () => {
    for (let round = 0; round < 5; round++) {
      const path = await confirmedOrder(service)
      await Promise.all([
        service.call("POST", `${path}/payments`, {}),
        service.call("POST", `${path}/cancel`, { reason: "r" }),
      ])
      await service.call("POST", `${path}/cancel`, { reason: "r" })
      const open = () =>
        service.db.selectFrom("provider_calls").select("key").where("order_id", "=", idOf(path)).execute()
      await expect.poll(open, { timeout: 10_000 }).toEqual([])
      const row = await rowOf(path)
      expect(row?.status).toBe("cancelled")
      expect(row?.refunded_minor).toBe(row?.captured_minor)
    }
  })

  test("that name the same version: one pays, the other learns the present version", async () => {
    const path = await confirmedOrder(service)
    const answers = await Promise.all(
      [1, 2].map(() => service.call("POST", `${path}/payments`, pay, { "If-Match": '"2"' })),
    )
    const late = answers.find(({ status }) => status === 412)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(late?.body.current_version).toBeGreaterThan(2)
  })
})

async function rowOf(path: string) {
  return await service.db.selectFrom("orders").selectAll().where("id", "=", idOf(path)).executeTakeFirst()
}
