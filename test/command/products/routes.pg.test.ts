import { randomUUID } from "node:crypto"
import { describe, expect, test } from "vitest"
import { givenService } from "../given/running-service.ts"

const service = givenService()

const problem = (code: string) => `urn:lockstep:problem:${code}`
const lamp = { name: "Lamp", price: "49.50", currency: "USD" }
const createLamp = async (more: object = {}) => {
  const { body } = await service.call("POST", "/products", { ...lamp, ...more })
  return `/products/${String(body.id)}`
}
const stockOf = (path: string) =>
  service.db
    .selectFrom("inventory")
    .select(["on_hand", "reserved", "version"])
    .where("product_id", "=", path.split("/")[2] ?? "")
    .executeTakeFirst()

describe("a product", () => {
  test("is created without stock, or with, and gets an id if it has none", async () => {
    const created = await service.call("POST", "/products", lamp)
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({
      id: expect.stringMatching(/^product-/),
      name: "Lamp",
      price: { amount: "49.50", currency: "USD" },
      weight_grams: 0,
      active: true,
      version: 1,
    })
    const path = `/products/${String(created.body.id)}`
    expect(created.headers.get("location")).toBe(path)
    expect(created.headers.get("consistency-token")).toMatch(/^v1:/)
    expect(await stockOf(path)).toBeUndefined()

    const id = `chosen.${randomUUID()}`
    const chosen = await service.call("POST", "/products", { ...lamp, id, stock: 7, price: 5, active: false })
    expect(chosen.body).toMatchObject({ id, price: { amount: "5.00" }, active: false })
    expect(await stockOf(`/products/${id}`)).toEqual({ on_hand: 7n, reserved: 0n, version: 1 })
  })

  test("whose id is taken is refused, and its stock stays", async () => {
    const request = { ...lamp, id: "product-456", stock: 1 }
    const { status, body } = await service.call("POST", "/products", request)
    expect([status, body.type]).toEqual([409, problem("product-exists")])
    expect(await stockOf("/products/product-456")).toMatchObject({ on_hand: 100_000n })
  })

  test("is created once under an idempotency key", async () => {
    const key = { "Idempotency-Key": randomUUID() }
    const [first, second] = [
      await service.call("POST", "/products", lamp, key),
      await service.call("POST", "/products", lamp, key),
    ]
    expect(second.text).toBe(first.text)
    expect(second.headers.get("idempotency-replayed")).toBe("true")
  })

  test("is changed member by member, at the version that If-Match names", async () => {
    const path = await createLamp()
    const changed = await service.call("PATCH", path, { price: "45", active: false }, { "If-Match": '"1"' })
    expect(changed.body).toMatchObject({
      name: "Lamp",
      price: { amount: "45.00" },
      active: false,
      version: 2,
    })
    expect(changed.headers.get("etag")).toBe('"2"')
    const abroad = await service.call("PATCH", path, { price: "4500", currency: "JPY", weight_grams: 10 })
    expect(abroad.body).toMatchObject({ price: { amount: "4500", currency: "JPY" }, weight_grams: 10 })
    const late = await service.call("PATCH", path, { name: "x" }, { "If-Match": '"2"' })
    expect([late.status, late.body.current_version]).toEqual([412, 3])
    const nobody = await service.call("PATCH", "/products/nothing", { name: "x" })
    expect([nobody.status, nobody.body.type]).toEqual([404, problem("product-not-found")])
  })

  test.each([
    ["a price finer than cents", { price: "1.999" }, "amount-too-fine"],
    ["a fraction of a yen", { price: "1.5", currency: "JPY" }, "amount-too-fine"],
    ["more than a bigint", { price: "92233720368547758.08" }, "amount-too-large"],
    ["a negative price", { price: "-1" }, "invalid-request"],
    ["an exponent", { price: "1e3" }, "invalid-request"],
    ["no price", { price: null }, "invalid-request"],
    ["a currency in small letters", { currency: "usd" }, "invalid-request"],
    ["a negative weight", { weight_grams: -1 }, "invalid-request"],
    ["a weight beyond its column", { weight_grams: 1e10 }, "invalid-request"],
    ["an id that is a path", { id: "a/b" }, "invalid-request"],
    ["an id that climbs", { id: ".." }, "invalid-request"],
    ["half a thing in stock", { stock: 0.5 }, "invalid-request"],
    ["less than nothing in stock", { stock: -1 }, "invalid-request"],
  ])("is refused with %s", async (_, more, code) => {
    const { status, body } = await service.call("POST", "/products", { ...lamp, ...more })
    expect([status, body.type]).toEqual([422, problem(code)])
  })

  test("takes the largest price, with three digits and none", async () => {
    const path = await createLamp({ price: "92233720368547758.07" })
    const dinar = await service.call("PATCH", path, { price: "0.001", currency: "KWD" })
    expect(dinar.body).toMatchObject({ price: { amount: "0.001", currency: "KWD" } })
    const finer = await service.call("PATCH", path, { price: "0.0001" })
    expect(finer.body.type).toBe(problem("amount-too-fine"))
    const currencyAlone = await service.call("PATCH", path, { currency: "USD" })
    expect(currencyAlone.body).toMatchObject({
      type: problem("invalid-request"),
      errors: [{ pointer: "/currency" }],
    })
  })
})

describe("the stock of a product", () => {
  test("is set, then adjusted, and has its own version", async () => {
    const path = await createLamp()
    const set = await service.call("PUT", `${path}/stock`, { on_hand: 5 })
    expect(set.status).toBe(200)
    expect(set.body).toMatchObject({ on_hand: 5, reserved: 0, available: 5, version: 1 })
    const less = await service.call("PATCH", `${path}/stock`, { adjust: -2 }, { "If-Match": '"1"' })
    expect(less.body).toMatchObject({ on_hand: 3, version: 2 })
    expect(less.headers.get("etag")).toBe('"2"')
    const late = await service.call("PUT", `${path}/stock`, { on_hand: 9 }, { "If-Match": '"1"' })
    expect([late.status, late.body.current_version]).toEqual([412, 2])
    expect(await stockOf(path)).toMatchObject({ on_hand: 3n })
  })

  test("is never less than what is reserved, nor less than nothing", async () => {
    const path = await createLamp({ stock: 10 })
    await service.db
      .updateTable("inventory")
      .set({ reserved: 4n })
      .where("product_id", "=", path.split("/")[2] ?? "")
      .execute()
    const exact = await service.call("PATCH", `${path}/stock`, { adjust: -6 })
    expect(exact.body).toMatchObject({ on_hand: 4, reserved: 4, available: 0 })
    for (const [method, body] of [
      ["PUT", { on_hand: 3 }],
      ["PATCH", { adjust: -1 }],
    ] as const) {
      const refused = await service.call(method, `${path}/stock`, body)
      expect([refused.status, refused.body.type]).toEqual([409, problem("stock-below-reserved")])
      expect(refused.body).toMatchObject({ on_hand: 4, reserved: 4 })
    }
    const huge = await service.call("PATCH", `${path}/stock`, { adjust: 1_000_000_000_000 })
    expect([huge.status, huge.body.type]).toEqual([422, problem("amount-too-large")])
  })

  test("needs a product, and a beginning", async () => {
    const path = await createLamp()
    const unkept = await service.call("PATCH", `${path}/stock`, { adjust: 1 })
    expect([unkept.status, unkept.body.type]).toEqual([409, problem("stock-not-kept")])
    const matching = await service.call("PUT", `${path}/stock`, { on_hand: 1 }, { "If-Match": "*" })
    expect([matching.status, matching.body.type]).toEqual([412, problem("version-mismatch")])
    for (const [method, body] of [
      ["PUT", { on_hand: 1 }],
      ["PATCH", { adjust: 1 }],
      ["DELETE", undefined],
    ] as const) {
      const nothing = await service.call(method, "/products/nothing/stock", body)
      expect([nothing.status, nothing.body.type]).toEqual([404, problem("product-not-found")])
    }
    const zero = await service.call("PATCH", `${path}/stock`, { adjust: 0 })
    expect([zero.status, zero.body.type]).toEqual([422, problem("invalid-request")])
  })

  test("is kept no more once nothing of it is reserved, and can be kept again", async () => {
    const path = await createLamp({ stock: 10 })
    const product = path.split("/")[2] ?? ""
    const remove = (headers = {}) => service.call("DELETE", `${path}/stock`, undefined, headers)
    const order = async (quantity: number) => {
      const items = [{ product_id: product, quantity }]
      const { headers } = await service.call("POST", "/orders", { customer_id: "customer-123", items })
      const placed = String(headers.get("location"))
      return { placed, confirmed: await service.call("POST", `${placed}/confirm`) }
    }
    const { placed } = await order(4)
    const reserved = await remove()
    expect([reserved.status, reserved.body.type]).toEqual([409, problem("stock-below-reserved")])
    expect(reserved.body).toMatchObject({ on_hand: 10, reserved: 4 })
    await service.call("POST", `${placed}/cancel`, { reason: "r" })
    const stale = await remove({ "If-Match": '"1"' })
    expect([stale.status, stale.body.current_version]).toEqual([412, 3])
    expect((await remove({ "If-Match": '"3"' })).status).toBe(204)
    expect(await stockOf(path)).toBeUndefined()

    const unlimited = await order(1_000)
    expect(unlimited.confirmed.body).toMatchObject({ status: "confirmed", items: [{ reserved: 0 }] })
    const twice = await remove()
    expect([twice.status, twice.body.type]).toEqual([409, problem("stock-not-kept")])
    expect((await service.call("PUT", `${path}/stock`, { on_hand: 2 })).body).toMatchObject({ reserved: 0 })
    expect((await order(3)).confirmed.body.type).toBe(problem("insufficient-stock"))
    expect((await service.call("POST", `${unlimited.placed}/cancel`, { reason: "r" })).status).toBe(200)
    expect(await stockOf(path)).toMatchObject({ on_hand: 2n, reserved: 0n })
  })

  test("that orders reserve while it is taken away is either reserved or not kept", async () => {
    for (let round = 0; round < 5; round++) {
      const path = await createLamp({ stock: 5 })
      const items = [{ product_id: path.split("/")[2] ?? "", quantity: 1 }]
      const drafts = await Promise.all(
        Array.from({ length: 4 }, () =>
          service.call("POST", "/orders", { customer_id: "customer-123", items }),
        ),
      )
      const [removed, ...confirmed] = await Promise.all([
        service.call("DELETE", `${path}/stock`),
        ...drafts.map(({ headers }) => service.call("POST", `${headers.get("location")}/confirm`)),
      ])
      expect(confirmed.map(({ status }) => status)).toEqual([200, 200, 200, 200])
      const stock = await stockOf(path)
      const isGone = removed?.status === 204
      for (const { body } of confirmed) expect(body.items).toMatchObject([{ reserved: isGone ? 0 : 1 }])
      expect(stock).toEqual(isGone ? undefined : expect.objectContaining({ reserved: 4n }))
    }
  })

  test("counts every one of many adjustments at once, also the first", async () => {
    const path = await createLamp()
    const first = await Promise.all(
      Array.from({ length: 5 }, () => service.call("PUT", `${path}/stock`, { on_hand: 20 })),
    )
    expect(first.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => service.call("PATCH", `${path}/stock`, { adjust: -1 })),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(20)
    expect(await stockOf(path)).toMatchObject({ on_hand: 0n })
  })
})
