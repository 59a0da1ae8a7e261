import { connect } from "node:net"
import { beforeAll, describe, expect, test } from "vitest"
import { givenService } from "./given/running-service.ts"

const service = givenService()
let draft: string

beforeAll(async () => {
  draft = await service.createDraft()
})

/** Every route that takes a body, with a text member of it and a body that would do. */
const writes = [
  ["POST", "/orders", "note", { customer_id: "customer-123", items: [], currency: "USD", note: "n" }],
  ["PATCH", "DRAFT", "note", { note: "n" }],
  ["POST", "DRAFT/items", "product_id", { product_id: "product-456", quantity: 1 }],
  ["PATCH", "DRAFT/items/1", "quantity", { quantity: 1 }],
  ["POST", "DRAFT/cancel", "reason", { reason: "r" }],
  ["POST", "/customers", "name", { name: "n", email: "hostile@example.com" }],
  ["PATCH", "/customers/customer-123", "name", { name: "n" }],
  ["POST", "/products", "name", { name: "n", price: "1.00", currency: "USD" }],
  ["PATCH", "/products/product-456", "name", { name: "n" }],
  ["PUT", "/products/product-456/stock", "on_hand", { on_hand: 1 }],
  ["PATCH", "/products/product-456/stock", "adjust", { adjust: 1 }],
  ["POST", "/discounts", "code", { code: "HOSTILE", basis_points: 1 }],
  ["PATCH", "/discounts/any", "usage_limit", { usage_limit: 1 }],
  ["POST", "/shipping-rules", "country", { country: "DE", currency: "EUR", price: "4.90" }],
  ["PATCH", "/shipping-rules/any", "maximum_weight_grams", { maximum_weight_grams: 1 }],
  ["POST", "/tax-rates", "country", { country: "DE", basis_points: 1900 }],
  ["PATCH", "/tax-rates/DE", "basis_points", { basis_points: 1900 }],
  ["POST", "/quotes", "country", { country: "DE", items: [{ product_id: "product-456", quantity: 1 }] }],
] as const

const json = "application/json"
const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`

type Hostility = [title: string, status: number, contentType: string | null, body: (good: string) => string]
const hostilities = (member: string): Hostility[] => {
  const replaced = (value: string) => (good: string) =>
    good.replace(new RegExp(`"${member}":("[^"]*"|\\d+)`), `"${member}":${value}`)
  return [
    ["no content type", 415, null, (good) => good],
    ["another content type", 415, "text/plain", (good) => good],
    ["a form", 415, "application/x-www-form-urlencoded", () => "a=b"],
    ["another charset", 415, `${json}; charset=utf-16`, (good) => good],
    ["no body", 400, json, () => ""],
    ["half a body", 400, json, (good) => good.slice(0, -1)],
    ["two bodies", 400, json, (good) => good + good],
    ["a number beyond double", 400, json, replaced("1e400")],
    ["a number finer than double", 400, json, replaced("1.00000000000000000001")],
    ["a member twice", 400, json, (good) => good.replace("{", `{"${member}":"other",`)],
    ["deep JSON", 400, json, () => nested(200_000)],
    ["deep JSON in a member", 400, json, replaced(nested(50))],
    ["an array", 422, json, (good) => `[${good}]`],
    ["null", 422, json, () => "null"],
    ["a text", 422, json, () => '"text"'],
    ["an empty object", 422, json, () => "{}"],
    ["an unknown member", 422, json, (good) => good.replace("{", '{"unknown":1,')],
    ["__proto__", 422, json, (good) => good.replace("{", '{"__proto__":{"a":1},')],
    ["a NUL", 422, json, replaced('"a\\u0000b"')],
    ["an unpaired surrogate", 422, json, replaced('"a\\ud800b"')],
    ["an object for a text", 422, json, replaced('{"a":1}')],
    ["a boolean", 422, json, replaced("true")],
    ["a negative fraction", 422, json, replaced("-0.5")],
    ["a huge number", 422, json, replaced("1e15")],
    ["an overlong text", 422, json, replaced(`"${"x".repeat(5_000)}"`)],
    ["a blank text", 422, json, replaced('"  "')],
  ]
}

describe.each(writes)("%s %s refuses", (method, template, member, good) => {
  test.each(hostilities(member))("%s with %i", async (_, status, contentType, body) => {
    const response = await fetch(service.url + template.replace("DRAFT", draft), {
      method,
      // Bytes, because fetch would add a content type to a text.
      body: Buffer.from(body(JSON.stringify(good))),
      headers: contentType === null ? {} : { "Content-Type": contentType },
    })
    const problem: Record<string, unknown> = JSON.parse(await response.text())
    expect(problem).toMatchObject({ status, type: expect.stringMatching(/^urn:lockstep:problem:/) })
    expect(response.status).toBe(status)
    expect(response.headers.get("content-type")).toBe("application/problem+json")
    if (status === 422) expect(problem.errors).toEqual(expect.arrayContaining([expect.anything()]))
  })

  test("bytes that are not UTF-8, a body above 1 MiB, announced or not", async () => {
    const path = template.replace("DRAFT", draft)
    const send = (body: Buffer | string | ReadableStream) =>
      fetch(service.url + path, {
        method,
        body,
        headers: { "Content-Type": json },
        ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
      })
    expect((await send(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]))).status).toBe(400)
    expect((await send(" ".repeat(1_048_577))).status).toBe(413)
    const pieces = Array.from({ length: 20 }, () => Buffer.alloc(65_536, 0x20))
    expect((await send(new Blob(pieces).stream())).status).toBe(413)
  })
})

describe.each([
  ["POST", "/confirm"],
  ["DELETE", "/items/9"],
])("%s %s takes no body and refuses", (method, suffix) => {
  test.each([
    ["a member", 422, json, '{"a":1}'],
    ["an array", 422, json, "[]"],
    ["half an object", 400, json, "{"],
    ["deep JSON", 400, json, nested(200_000)],
    ["another content type", 415, "text/plain", "{}"],
  ])("%s with %i", async (_, status, contentType, body) => {
    const answer = await service.call(method, draft + suffix, body, { "Content-Type": contentType })
    expect(answer.status).toBe(status)
    expect(answer.headers.get("content-type")).toBe("application/problem+json")
  })
})

describe("quantities and prices", () => {
  const withItem = (item: object) => ({ customer_id: "customer-123", items: [item] })

  test.each<[unknown, number]>([
    [1, 201],
    [100_000, 201],
    [0, 422],
    [-1, 422],
    [1.5, 422],
    [100_001, 422],
    ["1", 422],
    [null, 422],
  ])("a quantity of %j is answered %i", async (quantity, status) => {
    const answer = await service.call("POST", "/orders", withItem({ product_id: "product-456", quantity }))
    expect(answer.status).toBe(status)
  })

  test.each<[string, number]>([
    ["29.99", 201],
    ['"29.99"', 201],
    ["29.990", 201],
    ["2.999e1", 201],
    ['"2.999e1"', 422],
    ["-29.99", 422],
    ['"+29.99"', 422],
    ['""', 422],
    ['"NaN"', 422],
    ['"Infinity"', 422],
    ["29.990000000000000001", 400],
    ["null", 422],
  ])("a price of %s is answered %i", async (price, status) => {
    const body = `{"customer_id":"customer-123","items":[{"product_id":"product-456","quantity":1,"price":${price}}]}`
    expect((await service.call("POST", "/orders", body)).status).toBe(status)
  })
})

describe("the wire", () => {
  test.each([
    ["an unknown method", "BREW /orders HTTP/1.1\r\nHost: x\r\n\r\n"],
    ["no HTTP at all", "\x16\x03\x01\x02\x00\x01\x00\r\n\r\n"],
    ["a header above the limit", `GET /livez HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(100_000)}\r\n\r\n`],
    ["a wrong host", "GET /livez HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n"],
    ["an absolute path of another host", "GET http://other/livez HTTP/1.1\r\nHost: x\r\n\r\n"],
  ])("survives %s", async (_, bytes) => {
    const socket = connect(Number(new URL(service.url).port), "127.0.0.1")
    socket.on("error", () => undefined)
    const first = new Promise<string>((resolve) => {
      socket.once("data", (data) => resolve(data.toString()))
      socket.once("close", () => resolve(""))
    })
    socket.write(bytes)
    expect(await first).not.toMatch(/^HTTP\/1\.1 5/)
    socket.destroy()
    expect((await service.call("GET", "/livez")).status).toBe(200)
  })

  test.each([
    ["Idempotency-Key", ""],
    ["Idempotency-Key", "k".repeat(256)],
    ["Idempotency-Key", "caf\u00e9"],
    ["If-Match", "3"],
  ])("a wrong header is a 422: %s: %s", async (name, value) => {
    const { status, body } = await service.call("PATCH", draft, { note: "n" }, { [name]: value })
    expect(status).toBe(422)
    expect(body).toMatchObject({ errors: [{ header: name.toLowerCase() }] })
  })
})
