// Prices as customers meet them: quotes, drafts that follow the catalogue and the rules, and orders that keep theirs.
// One file: all of it is priced by the same few rules.
import { beforeAll, describe, expect, test } from "vitest"
import { givenService } from "../given/running-service.ts"

const service = givenService()

beforeAll(async () => {
  await post("/shipping-rules", { country: "US", currency: "USD", price: "4.90", maximum_weight_grams: 5000 })
  await post("/shipping-rules", { country: "US", currency: "USD", price: "19.00" })
  await post("/tax-rates", { country: "US", basis_points: 825 })
  await post("/discounts", { code: "TEN", basis_points: 1000 })
  await post("/discounts", { code: "BIG", basis_points: 2000, currency: "USD", minimum_order: "100" })
  await post("/discounts", { code: "PAST", basis_points: 1000, valid_from: "2020-01-01T00:00:00Z" })
  await service.db
    .updateTable("discounts")
    .set({ valid_until: new Date("2021-01-01T00:00:00Z") })
    .where("code", "=", "PAST")
    .execute()
})

async function post(path: string, body: object): Promise<string> {
  const { status, headers, text } = await service.call("POST", path, body)
  expect(status, text).toBe(201)
  return String(headers.get("location"))
}

const address = { street: "1 Main St", city: "New York", zip: "10001", country: "US" }
const keyboards = (quantity: number) => [{ product_id: "product-456", quantity }]
const draftOf = (more: object = {}) =>
  post("/orders", { customer_id: "customer-123", items: keyboards(2), ...more })
const problem = (code: string) => `urn:lockstep:problem:${code}`
const timesUsed = async (code: string) => {
  const query = service.db.selectFrom("discounts").select("times_used").where("code", "=", code)
  return (await query.executeTakeFirstOrThrow()).times_used
}

describe("a quote", () => {
  const request = { items: keyboards(2), country: "US", discount_codes: ["ten", "TEN"] }

  test("says what an order would cost, to the last part, and writes nothing", async () => {
    const { status, body } = await service.call("POST", "/quotes", request)
    expect(status).toBe(200)
    // 59.98 - 6.00 + 4.90 = 58.88; 8.25 % of it is 4.8576
    expect(body).toMatchObject({
      currency: "USD",
      items: [
        {
          product_id: "product-456",
          quantity: 2,
          unit_price: { amount: "29.99" },
          total: { amount: "59.98" },
        },
      ],
      subtotal: { amount: "59.98" },
      discount: { amount: "6.00" },
      shipping: { amount: "4.90" },
      tax: { amount: "4.86" },
      total: { amount: "63.74", currency: "USD" },
      pricing: {
        discounts: [{ code: "TEN", amount: { amount: "6.00" } }],
        shipping: { weight_grams: "1800" },
        tax: { country: "US", basis_points: 825 },
      },
    })
    const path = await draftOf({ shipping_address: address, discount_codes: ["TEN"] })
    const confirmed = await service.call("POST", `${path}/confirm`, { expected_total: "63.74" })
    expect(confirmed.body).toMatchObject({ status: "confirmed", total: body.total, pricing: body.pricing })
  })

  test.each<[string, number, object]>([
    ["customer-unknown", 422, { customer_id: "nobody" }],
    ["product-unknown", 422, { items: [{ product_id: "unicorn", quantity: 1 }] }],
    ["price-mismatch", 409, { items: [{ product_id: "product-456", quantity: 1, price: 1 }] }],
    ["currency-mismatch", 422, { currency: "EUR" }],
    ["discount-not-applicable", 422, { discount_codes: ["NOSUCH"] }],
    ["discount-not-applicable", 422, { discount_codes: ["PAST"] }],
    ["discount-not-applicable", 422, { discount_codes: ["BIG"] }],
    ["shipping-unavailable", 422, { country: "JP" }],
    ["invalid-request", 422, { items: [] }],
  ])("is refused: %s", async (code, status, more) => {
    const answer = await service.call("POST", "/quotes", { ...request, ...more })
    expect([answer.status, answer.body.type]).toEqual([status, problem(code)])
  })
})

describe("a draft", () => {
  test("takes the catalogue's prices with its next change, and never after it is confirmed", async () => {
    const product = await post("/products", { name: "Clock", price: "10.00", currency: "USD" })
    const path = await draftOf({ items: [{ product_id: product.slice("/products/".length), quantity: 3 }] })
    await service.call("PATCH", product, { price: "12.00" })
    const { body: untouched } = await service.call("POST", `${path}/confirm`, { expected_total: "30.00" })
    expect(untouched).toMatchObject({
      type: problem("price-mismatch"),
      current_total: { amount: "36.00", currency: "USD" },
    })
    const changed = await service.call("PATCH", path, { note: "n" })
    expect(changed.body).toMatchObject({
      items: [{ unit_price: { amount: "12.00" } }],
      total: { amount: "36.00" },
    })
    await service.call("PATCH", product, { price: "15.00" })
    const more = await service.call("POST", `${path}/items`, keyboards(1)[0])
    expect(more.body).toMatchObject({
      items: [{ unit_price: { amount: "15.00" } }, {}],
      total: { amount: "74.99" },
    })
    await service.call("PATCH", product, { price: "9.00" })
    const confirmed = await service.call("POST", `${path}/confirm`)
    expect(confirmed.body).toMatchObject({ status: "confirmed", total: { amount: "56.99" } })
    await service.call("PATCH", product, { price: "99.00" })
    const noted = await service.call("PATCH", path, { note: "later" })
    expect(noted.body).toMatchObject({
      items: [{ unit_price: { amount: "9.00" } }, {}],
      total: { amount: "56.99" },
    })
  })

  test("follows its address and its codes", async () => {
    const path = await draftOf()
    const steps: [object, object][] = [
      [{ shipping_address: address }, { shipping: { amount: "4.90" }, tax: { amount: "5.35" } }],
      [{ discount_codes: ["ten"] }, { discount: { amount: "6.00" }, discount_codes: ["TEN"] }],
      [{ shipping_address: null }, { shipping: { amount: "0.00" }, total: { amount: "53.98" } }],
      [{ shipping_address: { ...address, country: "JP" } }, { shipping: { amount: "0.00" } }],
      [{ discount_codes: [] }, { discount: { amount: "0.00" }, total: { amount: "59.98" } }],
    ]
    for (const [change, expected] of steps) {
      const { status, body, text } = await service.call("PATCH", path, change)
      expect(status, text).toBe(200)
      expect(body).toMatchObject(expected)
    }
    const { body } = await service.call("POST", `${path}/confirm`)
    expect(body.type).toBe(problem("shipping-unavailable"))
  })

  test("may name a code that other items would make good, but not be confirmed without them", async () => {
    const path = await draftOf({ discount_codes: ["BIG"] })
    const { body } = await service.call("POST", `${path}/confirm`)
    expect(body).toMatchObject({ type: problem("discount-not-applicable"), why: "minimum-not-reached" })
    await service.call("PATCH", `${path}/items/1`, { quantity: 4 })
    const confirmed = await service.call("POST", `${path}/confirm`)
    expect(confirmed.body).toMatchObject({ status: "confirmed", discount: { amount: "23.99" } })
  })

  test.each([["NOSUCH"], ["PAST"]])("cannot name the code %s", async (discountCode) => {
    const path = await draftOf()
    const answers = [
      await service.call("PATCH", path, { discount_codes: [discountCode] }),
      await service.call("POST", "/orders", {
        customer_id: "customer-123",
        items: keyboards(1),
        discount_codes: [discountCode],
      }),
    ]
    for (const { status, body } of answers) {
      expect([status, body.type]).toEqual([422, problem("discount-not-applicable")])
    }
  })

  test("with a product that is not sold any more can be changed but not confirmed", async () => {
    const product = await post("/products", { name: "Vase", price: "10.00", currency: "USD" })
    const path = await draftOf({ items: [{ product_id: product.slice("/products/".length), quantity: 1 }] })
    const confirm = async () => (await service.call("POST", `${path}/confirm`)).body.type
    await service.call("PATCH", product, { active: false })
    expect((await service.call("PATCH", path, { note: "n" })).status).toBe(200)
    expect(await confirm()).toBe(problem("product-inactive"))
    await service.call("PATCH", product, { active: true, price: "9.00", currency: "EUR" })
    expect((await service.call("PATCH", path, { note: "n" })).body).toMatchObject({
      total: { amount: "10.00" },
    })
    expect(await confirm()).toBe(problem("currency-mismatch"))
  })
})

describe("a confirmed order", () => {
  test("keeps its codes and its country", async () => {
    const path = await draftOf({ shipping_address: address })
    await service.call("POST", `${path}/confirm`)
    const codes = await service.call("PATCH", path, { discount_codes: ["TEN"] })
    expect([codes.status, codes.body.type]).toEqual([409, problem("order-not-draft")])
    for (const shipping_address of [null, { ...address, country: "JP" }]) {
      const moved = await service.call("PATCH", path, { shipping_address })
      expect([moved.status, moved.body.type]).toEqual([409, problem("country-fixed")])
    }
    const within = await service.call("PATCH", path, { shipping_address: { ...address, city: "Boston" } })
    expect(within.body).toMatchObject({ shipping_address: { city: "Boston" }, total: { amount: "70.23" } })
  })

  test("is the same without a body, with an empty one and with an empty object", async () => {
    const bodies: [string, Record<string, string>][] = [
      ["", {}],
      ["", { "Content-Type": "application/json" }],
      ["{}", { "Content-Type": "application/json" }],
    ]
    for (const [body, headers] of bodies) {
      const path = await draftOf()
      const answer = await fetch(`${service.url}${path}/confirm`, {
        method: "POST",
        headers,
        body: Buffer.from(body),
      })
      expect(answer.status).toBe(200)
    }
  })

  test.each(["1e2", "-1", "", "63.741"])("is not expected to cost %j", async (expected_total) => {
    const { status } = await service.call("POST", `${await draftOf()}/confirm`, { expected_total })
    expect([409, 422]).toContain(status)
  })
})

describe("a discount with a usage limit", () => {
  test("is used exactly so often by a hundred orders that are confirmed at once", async () => {
    await post("/discounts", { code: "SEVEN", basis_points: 1000, usage_limit: 7 })
    const paths: string[] = []
    for (let count = 0; count < 100; count++) {
      paths.push(await draftOf({ items: keyboards(1), discount_codes: ["SEVEN"] }))
    }
    const answers = await Promise.all(paths.map((path) => service.call("POST", `${path}/confirm`)))
    const accepted = answers.filter(({ status }) => status === 200)
    expect(accepted).toHaveLength(7)
    for (const { body } of accepted) expect(body.discount).toMatchObject({ amount: "3.00" })
    for (const { status, body } of answers.filter((answer) => answer.status !== 200)) {
      expect([status, body.type, body.why]).toEqual([422, problem("discount-not-applicable"), "used-up"])
    }
    expect(await timesUsed("SEVEN")).toBe(7)
  })

  test("that applies by itself is given exactly so often; the other orders cost more", async () => {
    const path = await post("/discounts", { product_id: "product-457", basis_points: 5000, usage_limit: 5 })
    const paths: string[] = []
    for (let count = 0; count < 40; count++) {
      paths.push(await draftOf({ items: [{ product_id: "product-457", quantity: 1 }] }))
    }
    const answers = await Promise.all(paths.map((order) => service.call("POST", `${order}/confirm`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(
      answers.map(({ body }) => JSON.stringify(body.discount)).filter((one) => one.includes('"24.75"')),
    ).toHaveLength(5)
    expect((await service.call("GET", path)).body).toMatchObject({ times_used: 5, version: 1 })
    await service.call("PATCH", path, { active: false })
  })

  test("gets a use back from a cancelled order, but none from a cancelled draft", async () => {
    await post("/discounts", { code: "ONCE", basis_points: 1000, usage_limit: 1 })
    const [first, second] = [
      await draftOf({ discount_codes: ["ONCE"] }),
      await draftOf({ discount_codes: ["ONCE"] }),
    ]
    await service.call("POST", `${first}/confirm`)
    expect((await service.call("POST", `${second}/confirm`)).body.why).toBe("used-up")
    await service.call("POST", `${first}/cancel`, { reason: "r" })
    expect(await timesUsed("ONCE")).toBe(0)
    expect((await service.call("POST", `${second}/confirm`)).status).toBe(200)
    const third = await draftOf()
    await service.call("POST", `${third}/cancel`, { reason: "r" })
    expect(await timesUsed("ONCE")).toBe(1)
  })
})

describe("a rule that is taken away", () => {
  test("leaves confirmed orders as they are, and drafts at their next change", async () => {
    const rule = await post("/shipping-rules", { country: "CA", currency: "USD", price: "7.00" })
    const rate = await post("/tax-rates", { country: "CA", basis_points: 1000 })
    const shipping_address = { ...address, country: "CA" }
    const [kept, draft] = [await draftOf({ shipping_address }), await draftOf({ shipping_address })]
    const confirmed = await service.call("POST", `${kept}/confirm`)
    expect(confirmed.body).toMatchObject({ shipping: { amount: "7.00" }, tax: { amount: "6.70" } })
    for (const path of [rule, rate]) expect((await service.call("DELETE", path)).status).toBe(204)

    const changed = await service.call("PATCH", kept, { note: "n" })
    expect(changed.body).toMatchObject({ total: { amount: "73.68" }, pricing: confirmed.body.pricing })
    const stored = service.db.selectFrom("orders").select("total_minor").where("id", "=", draft.slice(8))
    expect((await stored.executeTakeFirstOrThrow()).total_minor).toBe(7368n)
    const repriced = await service.call("PATCH", draft, { note: "n" })
    expect(repriced.body).toMatchObject({
      shipping: { amount: "0.00" },
      tax: { amount: "0.00" },
      total: { amount: "59.98" },
      pricing: { tax: null },
    })
    const { status, body } = await service.call("POST", `${draft}/confirm`)
    expect([status, body.type]).toEqual([422, problem("shipping-unavailable")])
  })
})
