// Analytics by group, beside the period before, top products and cohorts equal what plain code counts from the orders.
import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { deriveAll, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const statuses = ["confirmed", "paid", "cancelled"]
const countries = ["DE", "FR", undefined]
const orders = Array.from({ length: 90 }, (_, n) => ({
  id: `o${n}`,
  createdAt: `2025-0${1 + (n % 5)}-${String(1 + ((n * 7) % 28)).padStart(2, "0")}T12:00:00Z`,
  status: statuses[(n * 11) % 3] ?? "",
  currency: n % 4 === 0 ? "EUR" : "USD",
  customerId: n % 5 < 2 ? `c${(n * n) % 7}` : `late${n % 4}`,
  country: countries[(n * 5) % 3],
  capturedMinor: n % 2 === 0 ? 500n : 0n,
  refundedMinor: n % 6 === 0 ? 100n : 0n,
  items: [
    [`p${n % 3}`, 1 + (n % 4), 100n],
    ["p9", 1, BigInt(n)],
  ] as const,
}))
type Order = (typeof orders)[number]

const { models, app } = givenReadSide("groups", async ({ db }) => {
  for (const { country, ...order } of orders) await insertOrder(db, { ...order, ...(country && { country }) })
  await deriveAll(db)
})

const get = async (path: string): Promise<unknown> => {
  const response = await app.get(path)
  expect(response.status, path).toBe(200)
  return await response.json()
}
const rowsOf = async (query: string, { from, to } = { from: "2025-01-01", to: "2025-06-01" }) =>
  z
    .object({ rows: z.array(z.record(z.string(), z.unknown())) })
    .parse(await get(`/analytics/orders?period=monthly&from=${from}&to=${to}&${query}`)).rows

const isAlive = ({ status }: Order): boolean => status !== "cancelled"
const grossOf = ({ items }: Order): number => items.reduce((sum, [, n, price]) => sum + n * Number(price), 0)
const money = (minor: number, currency: string) => ({ amount: (minor / 100).toFixed(2), currency })
const rate = (part: number, whole: number) =>
  whole === 0 ? null : (Math.round((part * 1e4) / whole) / 1e4).toFixed(4)

/** The figures of some orders of one currency. */
function figuresOf(some: readonly Order[], currency: string) {
  const alive = some.filter(isAlive)
  const cancelled = some.length - alive.length
  const gross = alive.reduce((sum, order) => sum + grossOf(order), 0)
  const paid = some.filter((order) => order.capturedMinor > 0n)
  const total = (name: "capturedMinor" | "refundedMinor") =>
    some.reduce((sum, order) => sum + Number(order[name]), 0)
  return {
    orders: alive.length,
    gross: money(gross, currency),
    net: money(gross, currency),
    cancelled,
    captured: money(total("capturedMinor"), currency),
    refunded: money(total("refundedMinor"), currency),
    cancellation_rate: rate(cancelled, some.length),
    refund_rate: rate(paid.filter((order) => order.refundedMinor > 0n).length, paid.length),
  }
}

describe("analytics by group", () => {
  test.each([
    ["status", (order: Order) => order.status],
    ["country", (order: Order) => order.country ?? null],
    ["customer", (order: Order) => order.customerId],
  ] as const)("by %s", async (group, memberOf) => {
    const rows = await rowsOf(`group_by=${group}&limit=100`)
    for (const row of rows) {
      const some = orders.filter(
        (order) =>
          order.createdAt.startsWith(String(row.period)) &&
          order.currency === row.currency &&
          memberOf(order) === row[group],
      )
      expect(row).toMatchObject(figuresOf(some, String(row.currency)))
    }
    const members = new Set(orders.map((order) => `${order.currency} ${memberOf(order)}`))
    expect(rows).toHaveLength(members.size * 5)
  })

  test("by product, without what is an order's alone", async () => {
    const rows = await rowsOf("group_by=product&limit=100&currency=USD")
    expect(rows).toHaveLength(4 * 5)
    for (const row of rows) {
      const sold = orders
        .filter((order) => order.createdAt.startsWith(String(row.period)) && order.currency === "USD")
        .flatMap((order) => order.items.filter(([id]) => id === row.product).map((item) => ({ order, item })))
      const alive = sold.filter(({ order }) => isAlive(order))
      expect(row).toMatchObject({
        orders: alive.length,
        items: alive.reduce((sum, { item: [, n] }) => sum + n, 0),
        gross: money(
          alive.reduce((sum, { item: [, n, price] }) => sum + n * Number(price), 0),
          "USD",
        ),
        cancelled: sold.length - alive.length,
        discount: null,
        net: null,
        average: null,
        captured: null,
        refund_rate: null,
      })
    }
  })

  test("shows as many members as asked for, those with most sales first", async () => {
    const all = await rowsOf("group_by=customer&limit=100&currency=USD")
    const worth = new Map<unknown, number>()
    for (const order of orders.filter((one) => one.currency === "USD" && isAlive(one))) {
      worth.set(order.customerId, (worth.get(order.customerId) ?? 0) + grossOf(order))
    }
    const best = [...worth].sort((a, b) => b[1] - a[1]).slice(0, 2)
    const few = await rowsOf("group_by=customer&limit=2&currency=USD")
    expect(new Set(few.map(({ customer }) => customer))).toEqual(new Set(best.map(([id]) => id)))
    expect(few).toEqual(all.filter(({ customer }) => best.some(([id]) => id === customer)))
  })

  test("sets the whole period before beside each, also where the range cuts the first", async () => {
    const rows = z
      .object({ rows: z.array(z.record(z.string(), z.unknown())) })
      .parse(
        await get(
          "/analytics/orders?period=monthly&from=2025-02-10&to=2025-05-01&compare=previous&currency=USD",
        ),
      ).rows
    const of = (month: string, from = "") =>
      orders.filter(
        (order) => order.createdAt.startsWith(month) && order.createdAt >= from && order.currency === "USD",
      )
    expect(rows).toMatchObject([
      {
        period: "2025-02",
        ...figuresOf(of("2025-02", "2025-02-10"), "USD"),
        previous: figuresOf(of("2025-01"), "USD"),
      },
      { period: "2025-03", ...figuresOf(of("2025-03"), "USD"), previous: figuresOf(of("2025-02"), "USD") },
      { period: "2025-04", ...figuresOf(of("2025-04"), "USD"), previous: figuresOf(of("2025-03"), "USD") },
    ])
  })

  test("shows who bought in the period before and buys no more", async () => {
    const june = { from: "2025-06-01", to: "2025-07-01" }
    const ofMay = orders.filter((order) => order.createdAt.startsWith("2025-05") && order.currency === "USD")
    const rows = await rowsOf("group_by=customer&limit=100&currency=USD&compare=previous", june)
    const customers = [...new Set(ofMay.map(({ customerId }) => customerId))]
    expect(customers.length).toBeGreaterThan(0)
    expect(rows.map(({ customer }) => String(customer)).sort()).toEqual(customers.sort())
    for (const row of rows) {
      const theirs = ofMay.filter(({ customerId }) => customerId === row.customer)
      expect(row).toMatchObject({ orders: 0, previous: figuresOf(theirs, "USD") })
    }
    expect(await rowsOf("compare=previous", june)).toContainEqual(
      expect.objectContaining({
        currency: "USD",
        orders: 0,
        previous: expect.objectContaining(figuresOf(ofMay, "USD")),
      }),
    )
  })
})

describe("sales of products", () => {
  test("are those of the product alone", async () => {
    const range = "period=monthly&from=2025-01-01&to=2025-06-01"
    const all = await rowsOf("group_by=product&limit=100")
    expect(await get(`/products/p1/sales?${range}`)).toMatchObject({
      rows: all.filter(({ product }) => product === "p1"),
    })
    expect(await get(`/products/unknown/sales?${range}`)).toMatchObject({ rows: [] })
  })

  test.each(["gross", "items"])("are ranked by %s", async (by) => {
    const body = await get(`/analytics/products?from=2025-01-01&to=2025-06-01&currency=USD&by=${by}&limit=3`)
    const sold = new Map<string, number>()
    for (const order of orders.filter((one) => one.currency === "USD" && isAlive(one))) {
      for (const [id, n, price] of order.items) {
        sold.set(id, (sold.get(id) ?? 0) + (by === "items" ? n : n * Number(price)))
      }
    }
    const best = [...sold].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 3)
    expect(body).toMatchObject({
      products: best.map(([product_id, worth]) => ({
        product_id,
        ...(by === "items" ? { items: worth } : { gross: money(worth, "USD") }),
      })),
    })
  })
})

describe("cohorts", () => {
  test("count customers by the month of their first order, and who came back", async () => {
    const alive = orders.filter(isAlive)
    const first = new Map<string, string>()
    for (const { customerId, createdAt } of [...alive].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))) {
      if (!first.has(customerId)) first.set(customerId, createdAt.slice(0, 7))
    }
    const cohorts = [...new Set(first.values())].sort().map((month) => {
      const members = new Set([...first].filter(([, of]) => of === month).map(([id]) => id))
      const theirs = alive.filter(({ customerId }) => members.has(customerId))
      const months = [...new Set(theirs.map(({ createdAt }) => createdAt.slice(0, 7)))].sort().map((of) => {
        const some = theirs.filter(({ createdAt }) => createdAt.startsWith(of))
        const customers = new Set(some.map(({ customerId }) => customerId)).size
        return { month: of, customers, share: rate(customers, members.size), orders: some.length }
      })
      return { month, customers: members.size, months }
    })
    expect(await get("/analytics/cohorts?from=2025-01-01&to=2025-06-01")).toMatchObject({ cohorts })
    expect(cohorts.length).toBeGreaterThan(1)
  })

  test("move a month with the clock", async () => {
    await insertOrder(models.db, { id: "late", customerId: "late", createdAt: "2025-05-31T23:30:00Z" })
    await deriveAll(models.db)
    const cohort = async (zone: string) =>
      z
        .object({ cohorts: z.array(z.object({ month: z.string(), customers: z.number() })) })
        .parse(await get(`/analytics/cohorts?from=2025-05-31&to=2025-06-02&time_zone=${zone}`)).cohorts
    expect(await cohort("UTC")).toMatchObject([{ month: "2025-05", customers: 1 }])
    expect(await cohort("Europe/Berlin")).toMatchObject([{ month: "2025-06", customers: 1 }])
    await sql`delete from read_1.orders where id = 'late'`.execute(models.db)
    await deriveAll(models.db)
  })
})
