// Products, stock, and the profile of a customer.
import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { deriveAll, insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const ids = Array.from({ length: 25 }, (_, n) => `product-${String(n).padStart(2, "0")}`)

const { models, app } = givenReadSide("catalogue", async ({ db }) => {
  for (const [n, id] of ids.entries()) {
    await sql`insert into read_1.products (id, name, price_minor, currency, weight_grams, active, version, created_at,
        updated_at, deleted) values (${id}, ${n % 2 ? `Blue Türkis lamp ${n}` : `Red chair ${n}`}, ${2999n}, 'USD', 500,
        ${n % 5 !== 0}, 1, '2025-01-01', '2025-01-01', ${n === 24})`.execute(db)
    if (n < 20)
      await sql`insert into read_1.inventory (product_id, on_hand, reserved, version, updated_at, deleted)
        values (${id}, ${n}, ${Math.floor(n / 2)}, 3, '2025-01-02', ${n === 19})`.execute(db)
  }
  await insertCustomer(db, "customer-1")
  for (let n = 0; n < 7; n++) {
    await insertOrder(db, {
      id: `order-${n}`,
      createdAt: `2025-06-0${1 + n}T00:00:00Z`,
      currency: n === 6 ? "JPY" : "USD",
      status: n === 0 ? "cancelled" : "paid",
      capturedMinor: 1000n,
      refundedMinor: n === 0 ? 1000n : 0n,
      items: [
        [`product-0${n}`, n, 500n],
        ["product-09", 2, 1n],
      ],
    })
  }
  await deriveAll(db)
})

const read = async (path: string): Promise<unknown> => {
  const response = await app.get(path)
  expect(response.status, path).toBe(200)
  return await response.json()
}

async function readPages(
  path: string,
  name: "products" | "inventory",
  id: "id" | "product_id",
): Promise<string[]> {
  const line = z.object({ [id]: z.string() })
  const page = z.object({ [name]: z.array(line), next: z.string().nullable() })
  const found: string[] = []
  for (let next: string | null = path; next !== null; ) {
    const body: z.infer<typeof page> = page.parse(await read(next))
    found.push(
      ...z
        .array(line)
        .parse(body[name])
        .map((one) => String(one[id])),
    )
    next = z.string().nullable().parse(body.next)
  }
  return found
}

describe("products", () => {
  test("have price and stock", async () => {
    const product = {
      id: "product-03",
      price: { amount: "29.99", currency: "USD" },
      weight_grams: 500,
      active: true,
    }
    expect(await read("/products/product-03")).toMatchObject({
      ...product,
      stock: { on_hand: 3, reserved: 1, available: 2 },
    })
    expect(await read("/products/product-22")).toMatchObject({ stock: null })
    expect(await read("/products/product-19")).toMatchObject({ stock: null })
  })

  test.each([
    ["", ids.slice(0, 24)],
    ["&active=false", ids.slice(0, 24).filter((_, n) => n % 5 === 0)],
    ["&q=TÜRK+lam", ids.slice(0, 24).filter((_, n) => n % 2 === 1)],
    ["&q=chair&active=true", ids.slice(0, 24).filter((_, n) => n % 2 === 0 && n % 5 !== 0)],
    ["&q=sofa", []],
  ])("are found page by page: %s", async (query, wanted) => {
    expect(await readPages(`/products?limit=7${query}`, "products", "id")).toEqual(wanted)
  })

  test.each([
    ["/products/unknown", "product-not-found"],
    ["/products/product-24", "product-not-found"],
    ["/inventory/unknown", "stock-not-found"],
    ["/inventory/product-19", "stock-not-found"],
  ])("%s is a 404 problem", async (path, code) => {
    const response = await app.get(path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ type: `urn:lockstep:problem:${code}` })
  })
})

describe("stock", () => {
  test("says what is left", async () => {
    expect(await read("/inventory/product-07")).toEqual({
      product_id: "product-07",
      on_hand: 7,
      reserved: 3,
      available: 4,
      version: 3,
      updated_at: "2025-01-02T00:00:00.000000Z",
    })
  })

  test("is listed page by page, also only where little is left", async () => {
    expect(await readPages("/inventory?limit=8", "inventory", "product_id")).toEqual(ids.slice(0, 19))
    expect(await readPages("/inventory?limit=2&available_below=3", "inventory", "product_id")).toEqual(
      ids.slice(0, 5),
    )
  })
})

describe("a customer's profile", () => {
  test("has lifetime value, last orders and favourite products", async () => {
    expect(await read("/customers/customer-1")).toMatchObject({
      totals: [
        { currency: "JPY", orders: 1, lifetime_value: { amount: "1000", currency: "JPY" } },
        {
          currency: "USD",
          orders: 5,
          cancelled: 1,
          captured: { amount: "60.00", currency: "USD" },
          refunded: { amount: "10.00", currency: "USD" },
          lifetime_value: { amount: "50.00", currency: "USD" },
        },
      ],
      last_orders: [6, 5, 4, 3, 2].map((n) => ({ id: `order-${n}`, items: n + 2 })),
      favourite_products: [
        { product_id: "product-09", orders: 6, items: 12 },
        { product_id: "product-06", items: 6 },
        { product_id: "product-05", items: 5 },
        { product_id: "product-04", items: 4 },
        { product_id: "product-03", orders: 1, items: 3 },
      ],
    })
  })
})

describe("a customer", () => {
  test("says when they were erased", async () => {
    await insertCustomer(models.db, "customer-2")
    expect(await read("/customers/customer-2")).toMatchObject({ erased_at: null })
    await insertCustomer(models.db, "customer-3")
    await sql`update read_1.customers set erased_at = '2026-01-02T03:04:05.678901Z' where id = 'customer-3'`.execute(
      models.db,
    )
    expect(await read("/customers/customer-3")).toMatchObject({ erased_at: "2026-01-02T03:04:05.678901Z" })
  })
})

describe("what is parked", () => {
  test.each([
    ["products", "product-03", ["/products/product-03", "/products", "/analytics/products"]],
    ["inventory", "product-03", ["/inventory/product-03", "/inventory", "/products/product-03"]],
    ["shipments", "order-3", ["/orders/order-3", "/analytics/orders", "/orders?q=x"]],
    ["orders", "order-3", ["/customers/customer-1", "/analytics/cohorts", "/products/product-01/sales"]],
  ])("of %s is told by every answer that would show it", async (table, key, paths) => {
    await sql`insert into cdc.dead_letters (source, generation, topic, partition, kafka_offset, record_headers,
        table_name, row_key, is_placed, code, message)
      values ('orders', 1, 't', 0, 1, '{}', ${table}, array[${key}]::text[], true, 'bad-row', 'refused')`.execute(
      models.db,
    )
    for (const path of paths) {
      expect((await app.get(path)).headers.get("read-incomplete"), path).toBe("1")
    }
    for (const path of ["/products/product-04", "/inventory/product-04", "/orders/order-4"]) {
      expect((await app.get(path)).headers.get("read-incomplete"), path).toBeNull()
    }
    await sql`delete from cdc.dead_letters`.execute(models.db)
  })
})
