import { describe, expect, test } from "vitest"
import { checkDocsPage } from "../../support/docs-page.ts"
import { insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const { app } = givenReadSide("refusals", async ({ db }) => {
  await insertCustomer(db, "customer-1")
  await insertOrder(db, { id: "order-1" })
})

const cursorOf = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

describe("a request that makes no sense", () => {
  test.each([
    "/orders?unknown=1",
    "/orders?Status=draft",
    "/orders?status=lost",
    "/orders?status=draft&status=paid",
    "/orders?status=draft,",
    "/orders?status=draft,lost",
    "/orders?status=",
    `/orders?status=${"draft,".repeat(9)}paid`,
    "/orders?q=",
    "/orders?q=%00",
    "/orders?q=%26%7C!*:()",
    `/orders?q=${"x".repeat(201)}`,
    "/orders?amount_min=5",
    "/orders?amount_max=5",
    "/orders?currency=USD&amount_min=-1",
    "/orders?currency=USD&amount_min=1e3",
    "/orders?currency=USD&amount_min=1.999",
    "/orders?currency=JPY&amount_max=1.5",
    "/orders?currency=USD&amount_max=999999999999999999",
    "/orders?currency=usd",
    "/orders?country=de",
    "/orders?count=estimated",
    "/orders?limit=0",
    "/orders?limit=101",
    "/orders?limit=1e2",
    "/orders?limit=-1",
    "/orders?limit=",
    "/orders?limit=99999999999999999999",
    "/orders?from=yesterday",
    "/orders?from=2025-02-30",
    "/orders?from=2025-01-01T00:00:00",
    "/orders?from=0000-01-01",
    "/orders?from=2025-01-01T00:00:00%2B23:00",
    `/orders?from=2025-01-01T00:00:00.${"1".repeat(5_000)}Z`,
    "/orders?from=infinity",
    "/orders?customer_id=a%00b",
    "/orders?customer_id=",
    `/orders?customer_id=${"x".repeat(256)}`,
    "/orders?cursor=zzz",
    "/orders?cursor=%00",
    `/orders?cursor=${cursorOf(["2025-01-01T00:00:00.000000Z"])}`,
    `/orders?cursor=${cursorOf(["2025-13-01T00:00:00.000000Z", "a"])}`,
    `/orders?cursor=${cursorOf(["2025-01-01T00:00:00.000000Z", "a\0"])}`,
    `/orders?cursor=${cursorOf({ 0: "x" })}`,
    "/orders/a%00b",
    "/orders/%1b",
    `/orders/${"x".repeat(256)}`,
    "/orders/order-1?expand=all",
    "/orders/order-1/history?limit=1",
    "/customers/customer-1?x",
    "/customers/a%00b/orders",
    "/analytics/orders?period=yearly",
    ...["utc", "EST", "CET", "+05:45", "Mars/Base", "Europe/Berlin';--", "a%00b", "", "../../etc/passwd"].map(
      (zone) => `/analytics/orders?time_zone=${zone}`,
    ),
    "/analytics/orders?group_by=colour",
    "/analytics/orders?compare=next",
    "/analytics/orders?group_by=product&period=daily&limit=100&from=2024-01-01&to=2025-01-01",
    "/analytics/products?by=name",
    "/analytics/products?limit=0",
    "/analytics/products?period=daily",
    "/analytics/cohorts?from=2025-01-01T00:01:00Z",
    "/analytics/cohorts?time_zone=CET",
    "/products?q=%00",
    "/products?active=yes",
    "/products?cursor=%00",
    "/products?cursor=AA",
    "/products/p/sales?group_by=status",
    "/products/p?x=1",
    "/inventory?available_below=-1",
    "/inventory?available_below=1e9",
    "/inventory?cursor=",
    "/inventory/a%00b",
    "/analytics/orders?currency=usd",
    "/analytics/orders?currency=%27;drop%20table%20orders",
    "/analytics/orders?from=2025-01-01&to=2025-01-01",
    "/analytics/orders?from=2025-01-01T00:07:00Z",
    "/analytics/orders?from=2025-01-01T00:15:00.0001Z",
    "/analytics/orders?from=0001-01-01&period=daily",
  ])("is a 400 problem: %.80s", async (path) => {
    const response = await app.get(path)
    expect(response.status).toBe(400)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    expect(await response.json()).toMatchObject({
      type: "urn:lockstep:problem:invalid-request",
      status: 400,
      errors: expect.arrayContaining([expect.objectContaining({ parameter: expect.any(String) })]),
    })
  })

  test.each([
    ["Consistency-Token", "nonsense", "malformed-token"],
    ["Consistency-Token", "v1:orders:1-1:1:9223372036854775808", "malformed-token"],
    ["Consistency-Token", "v1:orders:1-1:-1:5", "malformed-token"],
    ["Consistency-Token", `v1:orders:1-1:1:${"9".repeat(5_000)}`, "malformed-token"],
    ["Prefer", "wait=soon", "invalid-request"],
    ["Cache-Control", "max-age=-1", "invalid-request"],
  ])("is a 400 problem for the header %s: %.50s", async (name, value, code) => {
    const response = await app.get("/orders/order-1", { [name]: value })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      type: `urn:lockstep:problem:${code}`,
      errors: [{ header: name }],
    })
  })

  test.each([
    "/orders/' or 1=1 --",
    "/orders/%F0%9F%92%A9",
    "/orders/..%2F..%2Fetc",
    "/orders/%",
    "/orders/%C0%80",
    "/orders/$1",
  ])("or names nothing is a 404 problem: %s", async (path) => {
    expect((await app.get(path)).status).toBe(404)
  })
})

describe("paths and methods", () => {
  test("answers 404 where nothing is", async () => {
    const response = await app.get("/nothing")
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: "urn:lockstep:problem:route-not-found" })
  })

  test.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])(
    "answers %s with 405 and Allow",
    async (method) => {
      for (const path of [
        "/orders",
        "/orders/order-1",
        "/customers/customer-1/orders",
        "/analytics/orders",
      ]) {
        const response = await app.get(path, {}, { method })
        expect(response.status).toBe(405)
        expect(response.headers.get("allow")).toBe("GET, HEAD")
        expect(response.headers.get("content-type")).toBe("application/problem+json")
      }
    },
  )

  test("answers HEAD like GET, without the body", async () => {
    const get = await app.get("/orders/order-1")
    const head = await app.get("/orders/order-1", {}, { method: "HEAD" })
    expect(head.status).toBe(200)
    expect(head.headers.get("etag")).toBe(get.headers.get("etag"))
    expect(await head.text()).toBe("")
  })

  test("documents every route", async () => {
    const response = await app.get("/openapi.json")
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      openapi: "3.1.0",
      paths: Object.fromEntries(
        [
          "/orders",
          "/orders/{id}",
          "/orders/{id}/history",
          "/customers/{id}",
          "/customers/{id}/orders",
          "/analytics/orders",
          "/analytics/products",
          "/analytics/cohorts",
          "/products",
          "/products/{id}",
          "/products/{id}/sales",
          "/inventory",
          "/inventory/{product}",
          "/livez",
          "/readyz",
        ].map((path) => [path, { get: expect.anything() }]),
      ),
    })
  })

  test("shows its description, and loads nothing from anywhere else", async () => {
    await checkDocsPage((path) => app.get(path))
  })
})
