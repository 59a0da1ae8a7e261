// The whole circle, as a person with two terminals meets it: what is written over HTTP on one side is read over HTTP
// on the other, through Postgres, Debezium, Kafka, the read models and the cache.
// One file: at the end both sides are compared with all that its tests have written.
import { execFile } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, test } from "vitest"
import { createMirrorViews, findDifferences } from "./chaos/given/invariants.ts"
import { givenClient } from "./support/client.ts"
import { createServiceProcess, type ServiceProcess } from "./support/service-process.ts"
import { givenSystem } from "./support/system.ts"
import { waitFor } from "./support/wait.ts"

const system = givenSystem("circle")
const client = givenClient(system)

// The three commands as the product's first document has them, to the letter.
const postOrder = `curl -X POST http://localhost:8080/orders \\
  -H "Content-Type: application/json" \\
  -d '{
    "customer_id": "customer-123",
    "items": [
      {"product_id": "product-456", "quantity": 2, "price": 29.99}
    ],
    "shipping_address": {
      "street": "123 Main St",
      "city": "New York",
      "state": "NY",
      "zip": "10001"
    }
  }'`
const getOrder = "curl http://localhost:8081/orders/{order-id}"
const getAnalytics = "curl http://localhost:8081/analytics/orders?period=monthly"

/**
 * Runs a documented command in a shell. Only the two origins are replaced, because a test takes free ports; what a
 * person would add by hand (headers to send, headers to show) comes from a `.curlrc`.
 */
async function run(
  documented: string,
  token?: string,
): Promise<{ body: Record<string, unknown>; token: string | undefined }> {
  const home = mkdtempSync(join(tmpdir(), "curl-"))
  const headers = join(home, "headers")
  const settings = ["silent", `dump-header = "${headers}"`]
  if (token !== undefined) settings.push(`header = "Consistency-Token: ${token}"`)
  writeFileSync(join(home, ".curlrc"), settings.join("\n"))
  try {
    const script = documented
      .replace("http://localhost:8080", system.commandUrl)
      .replace("http://localhost:8081", system.query.url())
    const { stdout } = await promisify(execFile)("sh", ["-c", script], {
      env: { PATH: process.env.PATH, CURL_HOME: home },
    })
    const [, answered] = /^consistency-token: (\S+)/im.exec(readFileSync(headers, "utf8")) ?? []
    return { body: JSON.parse(stdout), token: answered }
  } finally {
    rmSync(home, { recursive: true })
  }
}

describe("the three documented commands", () => {
  test("place an order, show it and count it", async () => {
    const placed = await run(postOrder)
    expect(placed.body).toMatchObject({ status: "draft", version: 1 })
    const id = String(placed.body.id)
    const show = getOrder.replace("{order-id}", id)
    const expected = {
      id,
      status: "draft",
      version: 1,
      customer: { id: "customer-123", name: "Ada Example", email: "ada@example.com" },
      items: [
        {
          line: 1,
          product_id: "product-456",
          quantity: 2,
          unit_price: { amount: "29.99", currency: "USD" },
          total: { amount: "59.98", currency: "USD" },
        },
      ],
      total: { amount: "59.98", currency: "USD" },
      shipping_address: { street: "123 Main St", city: "New York", state: "NY", zip: "10001" },
    }
    expect((await run(show, placed.token)).body, "with the token at once").toMatchObject(expected)
    await waitFor(async () => (await run(show)).body.id === id, "the order is shown without a token")

    const month = new Date().toISOString().slice(0, 7)
    const { rows } = (await run(getAnalytics)).body
    expect(rows).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          period: month,
          currency: "USD",
          orders: 1,
          items: 2,
          gross: { amount: "59.98", currency: "USD" },
          net: { amount: "59.98", currency: "USD" },
          average: { amount: "59.98", currency: "USD" },
          cancelled: 0,
        }),
      ]),
    )
  })
})

describe("what is written on one side is read on the other", () => {
  const newCustomer = async (name: string): Promise<string> => {
    const created = await client.command("POST", "/customers", { name, email: `${name}@example.org` })
    expect(created.status, created.text).toBe(201)
    return String(created.body.id)
  }

  test("for every way to change an order", async () => {
    const customer = await newCustomer("tourist")
    const placed = await client.command("POST", "/orders", {
      customer_id: customer,
      items: [{ product_id: "product-456", quantity: 2, price: "29.99" }],
      note: "ring twice",
    })
    const path = String(placed.headers.get("location"))
    const address = { street: "1 Side St", city: "Ulm", state: "BW", zip: "89073" }
    const steps: [string, string, object | undefined, object][] = [
      ["PATCH", "", { note: null, shipping_address: address }, { note: null, shipping_address: address }],
      ["POST", "/items", { product_id: "product-457", quantity: 1 }, { total: { amount: "109.48" } }],
      ["PATCH", "/items/1", { quantity: 1 }, { total: { amount: "79.49" } }],
      ["DELETE", "/items/2", undefined, { items: [{ line: 1, quantity: 1 }], total: { amount: "29.99" } }],
      ["POST", "/confirm", undefined, { status: "confirmed", confirmed_at: expect.any(String) }],
      ["POST", "/cancel", { reason: "sold out" }, { status: "cancelled", cancel_reason: "sold out" }],
    ]
    for (const [index, [method, below, body, expected]] of steps.entries()) {
      const accepted = await client.command(method, path + below, body)
      expect(accepted.status, accepted.text).toBe(200)
      const shown = await client.read(path)
      expect(shown.status, shown.text).toBe(200)
      expect(shown.body, `after ${method} ${below}`).toMatchObject({ version: index + 2, ...expected })
      expect(shown.body.total).toEqual(accepted.body.total)
    }
    const history = await client.read(`${path}/history`)
    expect(history.body.events).toMatchObject([
      { version: 1, type: "OrderCreated" },
      { version: 2, type: "OrderUpdated" },
      { version: 3, type: "ItemAdded" },
      { version: 4, type: "ItemChanged" },
      { version: 5, type: "ItemRemoved" },
      { version: 6, type: "OrderConfirmed" },
      { version: 7, type: "OrderCancelled", reason: "sold out" },
    ])
  })

  test("for a customer, with the totals of their orders and in each of the orders", async () => {
    const customer = await newCustomer("regular")
    const items = [{ product_id: "product-458", quantity: 3 }]
    const order = { customer_id: customer, items }
    const kept = String((await client.command("POST", "/orders", order)).headers.get("location"))
    const dropped = String((await client.command("POST", "/orders", order)).headers.get("location"))
    await client.command("POST", `${dropped}/cancel`, { reason: "twice" })
    const renamed = await client.command("PATCH", `/customers/${customer}`, { name: "Renamed" })
    expect(renamed.status).toBe(200)

    const totals = [{ currency: "USD", orders: 1, total: { amount: "13.50", currency: "USD" }, cancelled: 1 }]
    const page = await client.read(`/customers/${customer}`)
    expect(page.body).toMatchObject({ id: customer, name: "Renamed", version: 2, totals })
    expect((await client.read(`/customers/${customer}/orders`)).body).toMatchObject({
      customer: { name: "Renamed" },
      totals,
      orders: [{ status: "cancelled" }, { status: "draft" }],
    })
    expect((await client.read(kept)).body.customer).toMatchObject({ id: customer, name: "Renamed" })

    const drafts = await client.read(`/orders?customer_id=${customer}&status=draft`)
    expect(drafts.body.orders).toMatchObject([{ id: kept.slice("/orders/".length), items: 3 }])
    const first = await client.read(`/orders?customer_id=${customer}&limit=1`)
    expect(first.body.orders).toHaveLength(1)
    const rest = await client.read(String(first.body.next))
    expect(rest.body).toMatchObject({ orders: [{ id: kept.slice("/orders/".length) }], next: null })
  })

  test("in the sales, where a cancelled order stops counting", async () => {
    const sales = async () => {
      const { body } = await client.read("/analytics/orders?period=daily&currency=EUR")
      return Array.isArray(body.rows) ? body.rows.at(-1) : null
    }
    const placed = await client.command("POST", "/orders", {
      customer_id: "customer-124",
      items: [{ product_id: "product-459", quantity: 2 }],
    })
    const counted = { currency: "EUR", orders: 1, items: 2, net: { amount: "79.80" }, cancelled: 0 }
    expect(await sales()).toMatchObject(counted)
    await client.command("POST", `${placed.headers.get("location")}/cancel`, { reason: "too slow" })
    expect(await sales()).toMatchObject({ orders: 0, items: 0, net: { amount: "0.00" }, cancelled: 1 })
  })
})

describe("a reader with the token of a command", () => {
  test("sees that command, fifty times in a row, never anything older", async () => {
    const path = await client.placeOrder()
    await client.command("POST", `${path}/items`, { product_id: "product-457", quantity: 1 })
    const startedAt = performance.now()
    for (let quantity = 2; quantity < 52; quantity++) {
      const changed = await client.command("PATCH", `${path}/items/1`, { quantity })
      const shown = await client.read(path)
      expect(shown.status, shown.text).toBe(200)
      expect(shown.body.version).toBe(changed.body.version)
      expect(shown.body.items).toMatchObject([{ quantity }, { quantity: 1 }])
      expect(shown.headers.get("read-stale")).toBeNull()
    }
    const perRound = (performance.now() - startedAt) / 50
    console.log(`command, capture and read: ${perRound.toFixed(1)} ms a round`)
  })

  test("sees it through the cache too", async () => {
    const path = await client.placeOrder()
    expect((await client.read(path)).body.version).toBe(1)
    // Heartbeats move the position past the token: from then on the cache may answer for it.
    await waitFor(
      async () => (await client.read(path)).headers.get("cache-status") === "lockstep; hit",
      "the order is served from the cache",
    )
    for (let version = 2; version < 12; version++) {
      await client.command("PATCH", path, { note: `note ${version}` })
      for (let again = 0; again < 3; again++) {
        expect((await client.read(path)).body).toMatchObject({ version, note: `note ${version}` })
      }
    }
  })
})

describe("tags and keys", () => {
  test("let a reader change exactly what it read", async () => {
    const path = await client.placeOrder()
    const shown = await client.read(path)
    const etag = String(shown.headers.get("etag"))
    expect((await client.read(path, { "If-None-Match": etag })).status).toBe(304)

    const changed = await client.command("PATCH", path, { note: "first" }, { "If-Match": etag })
    expect(changed.status, changed.text).toBe(200)
    const tooLate = await client.command("PATCH", path, { note: "second" }, { "If-Match": etag })
    expect(tooLate.status).toBe(412)

    const after = await client.read(path)
    expect(after.body).toMatchObject({ version: 2, note: "first" })
    expect(after.headers.get("etag")).not.toBe(etag)
  })

  test("make a repeated request one order with one answer", async () => {
    const customer = await client.command("POST", "/customers", {
      name: "keyed",
      email: "keyed@example.org",
    })
    const order = {
      customer_id: String(customer.body.id),
      items: [{ product_id: "product-456", quantity: 1 }],
    }
    const key = { "Idempotency-Key": "order of the day" }
    const first = await client.command("POST", "/orders", order, key)
    const again = await client.command("POST", "/orders", order, key)
    expect(again.status).toBe(201)
    expect(again.text).toBe(first.text)
    expect(again.headers.get("idempotency-replayed")).toBe("true")
    expect((await client.command("POST", "/orders", { ...order, note: "other" }, key)).status).toBe(422)

    const { body } = await client.read(`/orders?customer_id=${String(customer.body.id)}`)
    expect(body.orders).toMatchObject([{ id: first.body.id }])
  })
})

describe("told to stop under load", () => {
  type Outcome = { status: number; id: string }

  /** Sends requests from eight clients until the service takes no more, and notes everything that was answered. */
  async function loadUntilRefused(request: () => Promise<Response>, answered: Outcome[]): Promise<void> {
    const ask = async () => {
      for (;;) {
        const response = await request().catch(() => null)
        if (!response) return
        const body: Record<string, unknown> = JSON.parse(await response.text())
        answered.push({ status: response.status, id: String(body.id) })
      }
    }
    await Promise.all(Array.from({ length: 8 }, ask))
  }

  async function stopUnderLoad(
    service: ServiceProcess,
    request: () => Promise<Response>,
  ): Promise<Outcome[]> {
    const answered: Outcome[] = []
    const load = loadUntilRefused(request, answered)
    await waitFor(() => answered.length > 50, "the service is under load")
    const startedAt = performance.now()
    const code = await service.stop()
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(code).toBe(0)
    const pid = service.pid() ?? 0
    expect(() => process.kill(pid, 0), "the process is gone").toThrow("ESRCH")
    await load
    return answered
  }

  test("the command service answers every command that it takes, and takes none that it does not answer", async () => {
    const customer = await client.command("POST", "/customers", { name: "busy", email: "busy@example.org" })
    const body = JSON.stringify({
      customer_id: String(customer.body.id),
      items: [{ product_id: "product-456", quantity: 1 }],
    })
    const service = createServiceProcess("command", { ...system.commandEnvironment, LOG_LEVEL: "info" })
    const url = await service.start()
    const headers = { "Content-Type": "application/json" }
    const answered = await stopUnderLoad(service, () =>
      fetch(`${url}/orders`, { method: "POST", headers, body }),
    )
    expect(answered.filter(({ status }) => status !== 201)).toEqual([])
    const { rows } = await system.source.query<{ id: string }>(
      "select id from orders where customer_id = $1",
      [customer.body.id],
    )
    expect(answered.map(({ id }) => id).sort()).toEqual(rows.map(({ id }) => id).sort())
  })

  test("the query service answers every read that it takes, and lets its lease go", async () => {
    const path = await client.placeOrder()
    await client.read(path)
    const url = system.query.url()
    const answered = await stopUnderLoad(system.query, () => fetch(`${url}${path}`))
    expect(answered.filter(({ status }) => status !== 200)).toEqual([])
    const { rows } = await system.reads.query("select expires_at < clock_timestamp() as free from cdc.leases")
    expect(rows).toEqual([{ free: true }])
    await system.query.start()
    expect((await client.read(path)).status).toBe(200)
  })
})

describe("at the end", () => {
  test("both sides are equal, row by row and sum by sum", async () => {
    await createMirrorViews(system.source)
    await system.caughtUp()
    expect(await findDifferences(system.source, system.reads, await system.liveSchema())).toEqual([])
  })
})
