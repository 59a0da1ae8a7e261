// An order's way over HTTP, from the draft on, and every refusal with its status and code.
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { sql } from "kysely"
import { beforeAll, describe, expect, test } from "vitest"
import { givenService } from "../../given/running-service.ts"

const service = givenService()

beforeAll(async () => {
  await service.db
    .insertInto("products")
    .values([
      { id: "yen", name: "Tea bowl", price_minor: 2500n, currency: "JPY" },
      { id: "dinar", name: "Lantern", price_minor: 12_345n, currency: "KWD" },
      { id: "retired", name: "Typewriter", price_minor: 1n, currency: "USD", active: false },
      { id: "palace", name: "Palace", price_minor: 2n ** 62n, currency: "USD" },
    ])
    .execute()
})

const address = { street: "1 Main St", city: "New York", state: "NY", zip: "10001", country: "US" }

describe("the documented curl", () => {
  test("creates an order, also when it says localhost", async () => {
    const { stdout } = await promisify(execFile)("curl", [
      ...["-s", "-X", "POST", `${service.url.replace("127.0.0.1", "localhost")}/orders`],
      ...["-H", "Content-Type: application/json"],
      "-d",
      '{"customer_id":"customer-123","items":[{"product_id":"product-456","quantity":2,"price":29.99}],' +
        '"shipping_address":{"street":"123 Main St","city":"New York","state":"NY","zip":"10001"}}',
    ])
    const order: Record<string, unknown> = JSON.parse(stdout)
    expect(order).toMatchObject({
      status: "draft",
      total: { amount: "59.98", currency: "USD" },
      shipping_address: { city: "New York" },
    })
    expect(order.id).toMatch(/^order-[0-9a-f-]{36}$/)
  })
})

describe("an order's way", () => {
  test("is answered at every step with its state, version and token, and leaves an event each", async () => {
    const created = await service.call("POST", "/orders", {
      customer_id: "customer-123",
      items: [{ product_id: "product-456", quantity: 2, price: "29.99" }],
      shipping_address: address,
      note: "ring twice",
    })
    expect(created.status).toBe(201)
    expect(created.headers.get("location")).toBe(`/orders/${String(created.body.id)}`)
    const path = `/orders/${String(created.body.id)}`

    const steps: [string, string, unknown, object][] = [
      ["POST", "/items", { product_id: "product-457", quantity: 1 }, { total: { amount: "109.48" } }],
      ["PATCH", "/items/1", { quantity: 1 }, { subtotal: { amount: "79.49" } }],
      ["DELETE", "/items/2", undefined, { items: [{ line: 1 }], total: { amount: "29.99" } }],
      [
        "POST",
        "/items",
        { product_id: "product-458", quantity: 10 },
        { items: [{ line: 1 }, { line: 3, product_id: "product-458", total: { amount: "45.00" } }] },
      ],
      ["PATCH", "", { note: null }, { note: null, shipping_address: address }],
      ["PATCH", "", { shipping_address: null, note: "n" }, { note: "n", shipping_address: null }],
      ["POST", "/confirm", undefined, { status: "confirmed", confirmed_at: expect.any(String) }],
      [
        "POST",
        "/cancel",
        { reason: "changed my mind" },
        { status: "cancelled", cancel_reason: "changed my mind", total: { amount: "74.99" } },
      ],
    ]
    for (const [index, [method, suffix, body, expected]] of steps.entries()) {
      const answer = await service.call(method, path + suffix, body)
      expect(answer.status).toBe(200)
      expect(answer.body).toMatchObject({ version: index + 2, ...expected })
      expect(answer.headers.get("etag")).toBe(`"${index + 2}"`)
      expect(answer.headers.get("consistency-token")).toMatch(/^v1:orders:\d+-\d+:\d+:\d+$/)
    }

    const events = await service.db
      .selectFrom("order_events")
      .selectAll()
      .where("order_id", "=", String(created.body.id))
      .orderBy("version")
      .execute()
    expect(events.map(({ version, type }) => `${version} ${type}`)).toEqual([
      "1 OrderCreated",
      "2 ItemAdded",
      "3 ItemChanged",
      "4 ItemRemoved",
      "5 ItemAdded",
      "6 OrderUpdated",
      "7 OrderUpdated",
      "8 OrderConfirmed",
      "9 OrderCancelled",
    ])
    expect(events[0]?.payload).toMatchObject({ fields: ["shipping_address", "note"] })
    const written = JSON.stringify(events.map(({ payload }) => payload))
    expect(written).not.toMatch(/ring twice|Main St/)
  })

  test("keeps request id and trace context beside the event", async () => {
    const traceparent = `00-${"a".repeat(32)}-${"b".repeat(16)}-01`
    const created = await service.call(
      "POST",
      "/orders",
      { customer_id: "customer-123", items: [], currency: "EUR" },
      { "X-Request-Id": "req-1", traceparent },
    )
    expect(created.headers.get("x-request-id")).toBe("req-1")
    const event = await service.db
      .selectFrom("order_events")
      .select(["request_id", "traceparent"])
      .where("order_id", "=", String(created.body.id))
      .executeTakeFirst()
    expect(event).toEqual({ request_id: "req-1", traceparent })
  })
})

describe("money", () => {
  test.each([
    ["yen", 2500, 3, "7500", "JPY"],
    ["dinar", "12.345", 2, "24.690", "KWD"],
  ])("of %s has the currency's own digits", async (productId, price, quantity, amount, currency) => {
    const items = [{ product_id: productId, quantity, price }]
    const { status, body } = await service.call("POST", "/orders", { customer_id: "customer-123", items })
    expect(status).toBe(201)
    expect(body.total).toEqual({ amount, currency })
  })
})

describe("a consistency token", () => {
  test("names the command's own transaction and a position behind its commit", async () => {
    const created = await service.call("POST", "/orders", {
      customer_id: "customer-123",
      items: [],
      currency: "USD",
    })
    const [, , epoch, xid, lsn] = (created.headers.get("consistency-token") ?? "").split(":")
    const { rows } = await sql<{ xmin: string; ahead: boolean; epoch: string }>`
      select o.xmin::text, pg_current_wal_insert_lsn() - '0/0' >= ${lsn}::numeric as ahead,
        system_identifier || '-' || timeline_id as epoch
      from orders o, pg_control_system(), pg_control_checkpoint() where id = ${created.body.id}`.execute(
      service.db,
    )
    expect(rows).toEqual([{ xmin: String(BigInt(xid ?? "") & 0xffff_ffffn), ahead: true, epoch }])
  })
})

describe("If-Match", () => {
  test.each([
    ['"1"', 200],
    ['"1-5f2c9a"', 200],
    ["*", 200],
    ['"9", "1"', 200],
    ['"2"', 412],
    ['W/"1"', 412],
    ["1", 422],
  ])("%s on version 1 is answered %i", async (ifMatch, status) => {
    const path = await service.createDraft()
    const answer = await service.call("PATCH", path, { note: "n" }, { "If-Match": ifMatch })
    expect(answer.status).toBe(status)
    if (status === 412) {
      expect(answer.body).toMatchObject({
        type: "urn:lockstep:problem:version-mismatch",
        current_version: 1,
      })
    }
  })
})

describe("a refused command", () => {
  const order = (more: object) => ({ customer_id: "customer-123", items: [], currency: "USD", ...more })
  const line = (product_id: string, more: object = {}) => ({ items: [{ product_id, quantity: 2, ...more }] })

  test.each<[string, number, string, string, unknown]>([
    ["customer-unknown", 422, "POST", "/orders", order({ customer_id: "nobody" })],
    ["product-unknown", 422, "POST", "/orders", order(line("unicorn"))],
    ["product-inactive", 422, "POST", "/orders", order(line("retired"))],
    ["price-mismatch", 409, "POST", "/orders", order(line("product-456", { price: 29.98 }))],
    ["currency-required", 422, "POST", "/orders", { customer_id: "customer-123", items: [] }],
    ["currency-mismatch", 422, "POST", "/orders", order(line("product-459"))],
    ["amount-too-large", 422, "POST", "/orders", order(line("palace"))],
    ["order-not-found", 404, "PATCH", "/orders/none", { note: "n" }],
    ["order-not-found", 404, "POST", "/orders/none/confirm", undefined],
    ["line-not-found", 404, "PATCH", "DRAFT/items/2", { quantity: 1 }],
    ["line-not-found", 404, "DELETE", "DRAFT/items/2", undefined],
    ["order-empty", 409, "POST", "EMPTY/confirm", undefined],
    ["order-not-draft", 409, "POST", "CONFIRMED/items", { product_id: "product-456", quantity: 1 }],
    ["order-not-draft", 409, "PATCH", "CONFIRMED/items/1", { quantity: 1 }],
    ["order-not-draft", 409, "DELETE", "CONFIRMED/items/1", undefined],
    ["order-not-draft", 409, "POST", "CONFIRMED/confirm", undefined],
    ["order-closed", 409, "PATCH", "CANCELLED", { note: "n" }],
    ["order-not-cancellable", 409, "POST", "CANCELLED/cancel", { reason: "again" }],
    ["order-not-cancellable", 409, "POST", "SHIPPED/cancel", { reason: "late" }],
    ["too-many-lines", 422, "POST", "FULL/items", { product_id: "product-456", quantity: 1 }],
  ])("%s is a %i and changes nothing: %s %s", async (code, status, method, template, body) => {
    const path = await prepare(template)
    const before = await contents()
    const answer = await service.call(method, path, body)
    expect(answer.headers.get("content-type")).toBe("application/problem+json")
    expect(answer.body).toMatchObject({
      type: `urn:lockstep:problem:${code}`,
      title: expect.any(String),
      status,
      detail: expect.any(String),
      instance: path,
    })
    expect(answer.status).toBe(status)
    expect(await contents()).toEqual(before)
  })

  test("tells the current price where the client's is another", async () => {
    const { body } = await service.call("POST", "/orders", order(line("product-456", { price: 1 })))
    expect(body).toMatchObject({
      product_id: "product-456",
      current_price: { amount: "29.99", currency: "USD" },
    })
  })

  async function prepare(template: string): Promise<string> {
    const [state, suffix] = /^([A-Z]+)(.*)$/.exec(template)?.slice(1) ?? []
    if (state === undefined) return template
    const path = await service.createDraft(state === "EMPTY" ? 0 : 1)
    const id = path.slice("/orders/".length)
    if (state === "CONFIRMED") await service.call("POST", `${path}/confirm`)
    if (state === "CANCELLED") await service.call("POST", `${path}/cancel`, { reason: "first" })
    if (state === "SHIPPED") {
      await service.db.updateTable("orders").set({ status: "shipped" }).where("id", "=", id).execute()
    }
    if (state === "FULL") {
      await sql`insert into order_items (order_id, line, product_id, quantity, unit_price_minor)
        select ${id}, n, 'product-456', 1, 2999 from generate_series(2, 1000) n`.execute(service.db)
    }
    return `${path}${suffix}`
  }

  async function contents(): Promise<unknown> {
    const { rows } = await sql`
      select (select count(*) from orders) as orders, (select sum(version) from orders) as versions,
        (select count(*) from order_items) as items, (select count(*) from order_events) as events`.execute(
      service.db,
    )
    return rows
  }
})
