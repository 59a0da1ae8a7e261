// The rules of prices over HTTP: discounts, shipping rules and tax rates are made, changed and refused alike.
// One file: it is one table of rules and requests.
import { describe, expect, test } from "vitest"
import { givenService } from "../given/running-service.ts"

const service = givenService()

const pathOf = async (collection: string, request: object): Promise<string> => {
  const { status, headers, text } = await service.call("POST", collection, request)
  expect(status, text).toBe(201)
  return String(headers.get("location"))
}
const code = (() => {
  let count = 0
  return () => `CODE-${++count}`
})()

describe("a discount", () => {
  test("is created, shown and changed, each time with its version", async () => {
    const request = {
      code: "summer-10",
      customer_id: "customer-123",
      product_id: "product-456",
      amount: "5.00",
      currency: "USD",
      minimum_order: "20",
      usage_limit: 3,
      valid_from: "2026-06-01T00:00:00+02:00",
    }
    const created = await service.call("POST", "/discounts", request)
    expect(created.status).toBe(201)
    expect(created.body).toMatchObject({
      ...request,
      id: expect.stringMatching(/^discount-/),
      code: "SUMMER-10",
      basis_points: null,
      amount: { amount: "5.00", currency: "USD" },
      minimum_order: { amount: "20.00", currency: "USD" },
      times_used: 0,
      stackable: false,
      active: true,
      valid_from: "2026-05-31T22:00:00.000Z",
      valid_until: null,
      version: 1,
    })
    const path = String(created.headers.get("location"))
    const change = { amount: "4.5", usage_limit: null, active: false, valid_until: "2026-07-01T00:00:00Z" }
    const changed = await service.call("PATCH", path, change, { "If-Match": '"1"' })
    expect(changed.body).toMatchObject({
      amount: { amount: "4.50" },
      usage_limit: null,
      active: false,
      valid_until: "2026-07-01T00:00:00.000Z",
      minimum_order: { amount: "20.00" },
      version: 2,
    })
    const late = await service.call("PATCH", path, { active: true }, { "If-Match": '"1"' })
    expect([late.status, late.body.current_version]).toEqual([412, 2])
    const shown = await service.call("GET", path)
    expect(shown.body).toEqual(changed.body)
    expect(shown.headers.get("etag")).toBe('"2"')
  })

  test("is created once per Idempotency-Key", async () => {
    const key = { "Idempotency-Key": "discount-1" }
    const request = { code: code(), basis_points: 100 }
    const first = await service.call("POST", "/discounts", request, key)
    const again = await service.call("POST", "/discounts", request, key)
    expect(again.text).toBe(first.text)
    expect(again.headers.get("idempotency-replayed")).toBe("true")
  })

  test("in a currency of no or three digits keeps them", async () => {
    const yen = await service.call("POST", "/discounts", { amount: 500, currency: "JPY", active: false })
    expect(yen.body.amount).toEqual({ amount: "500", currency: "JPY" })
    const dinar = { amount: "1.005", currency: "KWD", active: false }
    expect((await service.call("POST", "/discounts", dinar)).body.amount).toMatchObject({ amount: "1.005" })
  })
})

describe("a shipping rule", () => {
  test("is created, shown and changed, each time with its version", async () => {
    const request = { country: "FR", currency: "EUR", price: "4.90", maximum_weight_grams: 5000 }
    const path = await pathOf("/shipping-rules", request)
    const changed = await service.call("PATCH", path, {
      price: 5,
      maximum_weight_grams: null,
      free_above: "50",
    })
    expect(changed.body).toMatchObject({
      country: "FR",
      price: { amount: "5.00", currency: "EUR" },
      maximum_weight_grams: null,
      free_above: { amount: "50.00", currency: "EUR" },
      version: 2,
    })
    const stricter = await service.call("PATCH", path, { free_above: null }, { "If-Match": '"2"' })
    expect(stricter.body).toMatchObject({ price: { amount: "5.00" }, free_above: null, version: 3 })
    expect((await service.call("PATCH", path, { price: 6 }, { "If-Match": '"2"' })).status).toBe(412)
    expect((await service.call("GET", path)).body).toEqual(stricter.body)
  })
})

describe("a tax rate", () => {
  test("is created, shown and changed, each time with its version", async () => {
    const path = await pathOf("/tax-rates", { country: "AT", basis_points: 2000 })
    expect(path).toBe("/tax-rates/AT")
    const changed = await service.call("PATCH", path, { basis_points: 0 }, { "If-Match": '"1"' })
    expect(changed.body).toMatchObject({ country: "AT", basis_points: 0, version: 2 })
    expect((await service.call("PATCH", path, { basis_points: 1 }, { "If-Match": '"1"' })).status).toBe(412)
    expect((await service.call("GET", path)).body).toEqual(changed.body)
  })
})

describe.each([
  ["/shipping-rules", { country: "SE", currency: "SEK", price: "49" }, "shipping-rule-not-found"],
  ["/tax-rates", { country: "SE", basis_points: 2500 }, "tax-rate-not-found"],
])("what is deleted from %s", (collection, request, missing) => {
  test("is of the version that was named, gone once per Idempotency-Key, and may be created again", async () => {
    const path = await pathOf(collection, request)
    const stale = await service.call("DELETE", path, undefined, { "If-Match": '"2"' })
    expect([stale.status, stale.body.current_version]).toEqual([412, 1])
    const withBody = await service.call("DELETE", path, { why: "moved" })
    expect([withBody.status, withBody.body.type]).toEqual([422, "urn:lockstep:problem:invalid-request"])
    expect((await service.call("GET", path)).status).toBe(200)

    const headers = { "If-Match": '"1"', "Idempotency-Key": `delete-${path}` }
    const deleted = await service.call("DELETE", path, undefined, headers)
    expect([deleted.status, deleted.text]).toEqual([204, ""])
    expect(deleted.headers.has("consistency-token")).toBe(true)
    const again = await service.call("DELETE", path, undefined, headers)
    expect([again.status, again.headers.get("idempotency-replayed")]).toEqual([204, "true"])
    for (const method of ["GET", "DELETE"]) {
      const { status, body } = await service.call(method, path)
      expect([status, body.type], method).toEqual([404, `urn:lockstep:problem:${missing}`])
    }
    expect((await service.call("POST", collection, request)).status).toBe(201)
  })

  test("is deleted by one of many who try at once", async () => {
    const path = await pathOf(collection, { ...request, country: "NO" })
    const answers = await Promise.all(Array.from({ length: 8 }, () => service.call("DELETE", path)))
    const statuses = answers.map(({ status }) => status).sort((one, other) => one - other)
    expect(statuses).toEqual([204, ...Array.from({ length: 7 }, () => 404)])
  })
})

describe("a refused rule", () => {
  const percent = { basis_points: 1000, active: false }
  const fixed = { amount: "5.00", currency: "USD", active: false }
  const rule = { country: "DE", currency: "USD", price: "4.90" }
  const tooMuch = "92233720368547758.08"

  test.each<[string, number, string, string, object]>([
    ["customer-unknown", 422, "POST", "/discounts", { ...percent, customer_id: "nobody" }],
    ["product-unknown", 422, "POST", "/discounts", { ...percent, product_id: "unicorn" }],
    ["discount-code-taken", 409, "POST", "/discounts", { ...percent, code: "taken" }],
    ["amount-too-fine", 422, "POST", "/discounts", { ...fixed, amount: "5.001" }],
    ["amount-too-fine", 422, "POST", "/discounts", { ...fixed, currency: "JPY", amount: "0.5" }],
    ["amount-too-large", 422, "POST", "/discounts", { ...fixed, amount: tooMuch }],
    ["amount-too-large", 422, "POST", "/discounts", { ...fixed, minimum_order: tooMuch }],
    [
      "discount-inconsistent",
      422,
      "POST",
      "/discounts",
      { ...percent, valid_from: "2026-01-01T00:00:00Z", valid_until: "2026-01-01T00:00:00Z" },
    ],
    ["discount-not-found", 404, "PATCH", "/discounts/none", { active: true }],
    ["discount-inconsistent", 422, "PATCH", "PERCENT", { amount: "1.00" }],
    ["discount-inconsistent", 422, "PATCH", "PERCENT", { minimum_order: "1.00" }],
    ["discount-inconsistent", 422, "PATCH", "FIXED", { basis_points: 1 }],
    ["discount-inconsistent", 422, "PATCH", "FIXED", { valid_until: "2000-01-01T00:00:00Z" }],
    ["amount-too-fine", 422, "PATCH", "FIXED", { amount: "1.001" }],
    ["amount-too-large", 422, "PATCH", "FIXED", { minimum_order: tooMuch }],
    ["amount-too-fine", 422, "POST", "/shipping-rules", { ...rule, price: "4.901" }],
    ["amount-too-large", 422, "POST", "/shipping-rules", { ...rule, price: tooMuch }],
    ["amount-too-large", 422, "POST", "/shipping-rules", { ...rule, free_above: tooMuch }],
    ["shipping-rule-not-found", 404, "PATCH", "/shipping-rules/none", { price: "1" }],
    ["amount-too-fine", 422, "PATCH", "RULE", { price: "1.001" }],
    ["amount-too-large", 422, "PATCH", "RULE", { free_above: tooMuch }],
    ["tax-rate-exists", 409, "POST", "/tax-rates", { country: "DE", basis_points: 1 }],
    ["tax-rate-not-found", 404, "PATCH", "/tax-rates/ZZ", { basis_points: 1 }],
  ])("%s is a %i: %s %s %j", async (problem, status, method, place, body) => {
    const answer = await service.call(method, await prepare(place), body)
    expect([answer.status, answer.body.type]).toEqual([status, `urn:lockstep:problem:${problem}`])
  })

  test.each([
    ["/discounts/none", "discount-not-found"],
    ["/shipping-rules/none", "shipping-rule-not-found"],
    ["/tax-rates/ZZ", "tax-rate-not-found"],
  ])("GET %s is a 404 %s", async (path, problem) => {
    const { status, body } = await service.call("GET", path)
    expect([status, body.type]).toEqual([404, `urn:lockstep:problem:${problem}`])
  })

  async function prepare(place: string): Promise<string> {
    await service.call("POST", "/discounts", { ...percent, code: "TAKEN" })
    await service.call("POST", "/tax-rates", { country: "DE", basis_points: 1900 })
    if (place === "PERCENT") return await pathOf("/discounts", percent)
    if (place === "FIXED") return await pathOf("/discounts", fixed)
    if (place === "RULE") return await pathOf("/shipping-rules", { ...rule, country: "IT" })
    return place
  }
})

describe("limits of what is sent", () => {
  const off = { active: false }
  test.each<[number, string, object]>([
    [201, "/discounts", { ...off, basis_points: 1 }],
    [201, "/discounts", { ...off, basis_points: 10_000 }],
    [422, "/discounts", { ...off, basis_points: 0 }],
    [422, "/discounts", { ...off, basis_points: 10_001 }],
    [422, "/discounts", { ...off, basis_points: 1.5 }],
    [422, "/discounts", off],
    [422, "/discounts", { ...off, basis_points: 1, amount: "1", currency: "USD" }],
    [422, "/discounts", { ...off, amount: "1" }],
    [422, "/discounts", { ...off, basis_points: 1, minimum_order: "1" }],
    [201, "/discounts", { ...off, amount: "92233720368547758.07", currency: "USD" }],
    [201, "/discounts", { ...off, amount: 0, currency: "USD" }],
    [422, "/discounts", { ...off, amount: "-1", currency: "USD" }],
    [422, "/discounts", { ...off, amount: "1", currency: "usd" }],
    [201, "/discounts", { ...off, basis_points: 1, usage_limit: 2_147_483_647 }],
    [422, "/discounts", { ...off, basis_points: 1, usage_limit: 2_147_483_648 }],
    [422, "/discounts", { ...off, basis_points: 1, usage_limit: 0 }],
    [201, "/discounts", { ...off, basis_points: 1, code: "c".repeat(40) }],
    [422, "/discounts", { ...off, basis_points: 1, code: "c".repeat(41) }],
    [422, "/discounts", { ...off, basis_points: 1, code: "with space" }],
    [201, "/discounts", { ...off, basis_points: 1, valid_from: "0001-01-01T00:00:00Z" }],
    [201, "/discounts", { ...off, basis_points: 1, valid_until: "9999-12-31T23:59:59.999Z" }],
    [422, "/discounts", { ...off, basis_points: 1, valid_from: "2026-02-30T00:00:00Z" }],
    [422, "/discounts", { ...off, basis_points: 1, valid_from: "2026-06-01" }],
    [
      201,
      "/shipping-rules",
      { country: "ES", currency: "EUR", price: 0, maximum_weight_grams: 2_147_483_647 },
    ],
    [
      422,
      "/shipping-rules",
      { country: "ES", currency: "EUR", price: 0, maximum_weight_grams: 2_147_483_648 },
    ],
    [422, "/shipping-rules", { country: "ES", currency: "EUR", price: 0, maximum_weight_grams: 0 }],
    [422, "/shipping-rules", { country: "es", currency: "EUR", price: 0 }],
    [201, "/tax-rates", { country: "ES", basis_points: 10_000 }],
    [422, "/tax-rates", { country: "PT", basis_points: 10_001 }],
    [422, "/tax-rates", { country: "PT", basis_points: -1 }],
    [422, "/tax-rates", { country: "PRT", basis_points: 1 }],
  ])("%i: POST %s %j", async (status, path, body) => {
    expect((await service.call("POST", path, body)).status).toBe(status)
  })
})
