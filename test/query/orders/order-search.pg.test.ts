// Whatever orders are looked for by, the pages together are those that plain code finds among all orders.
import fc from "fast-check"
import { sql } from "kysely"
import { expect, test } from "vitest"
import { z } from "zod"
import { propertyRuns } from "../../support/properties.ts"
import { insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const notes = [
  undefined,
  "Leave at the door",
  "DOORBELL broken, call o'Neill",
  "für die Tür \\ 'x' & !y:*",
  "42-b",
]
const statuses = ["draft", "confirmed", "paid", "shipped"]
const currencies = ["USD", "JPY", "KWD"]
const countries = [undefined, "DE", "FR"]
const orders = Array.from({ length: 60 }, (_, n) => ({
  id: `order-${String(n).padStart(2, "0")}`,
  customerId: `customer-${n % 3}`,
  status: statuses[(n * 7) % 4] ?? "",
  currency: currencies[n % 3] ?? "",
  subtotalMinor: BigInt((n * 37) % 500),
  createdAt: `2025-06-0${1 + (n % 5)}T00:00:00Z`,
  note: notes[n % 5],
  country: countries[(n * 5) % 3],
}))

const { models, app } = givenReadSide("order_search", async ({ db }) => {
  for (const { note, country, ...order } of orders) {
    await insertOrder(db, { ...order, ...(note && { note }), ...(country && { country }) })
  }
})

const page = z.object({
  orders: z.array(z.object({ id: z.string() })),
  total: z.number().optional(),
  next: z.string().nullable(),
})

async function find(query: Record<string, string>): Promise<{ ids: string[]; total: number | undefined }> {
  const ids: string[] = []
  let total: number | undefined
  for (let next: string | null = `/orders?${new URLSearchParams(query).toString()}`; next !== null; ) {
    const response = await app.get(next)
    expect(response.status, next).toBe(200)
    const body = page.parse(await response.json())
    ids.push(...body.orders.map(({ id }) => id))
    if (total !== undefined) expect(body.total, "every page tells the same total").toBe(total)
    total = body.total
    next = body.next
  }
  return { ids, total }
}

const digits: Record<string, number> = { USD: 2, JPY: 0, KWD: 3 }
const decimal = (minor: number, currency: string): string =>
  (minor / 10 ** (digits[currency] ?? 2)).toFixed(digits[currency])

const asked = fc.record(
  {
    customer: fc.nat(3),
    status: fc.subarray(statuses, { minLength: 1 }),
    money: fc.record(
      { currency: fc.constantFrom(...currencies), least: fc.nat(500), most: fc.nat(500) },
      { requiredKeys: ["currency"] },
    ),
    country: fc.constantFrom("DE", "FR", "US"),
    fromDay: fc.integer({ min: 1, max: 5 }),
    toDay: fc.integer({ min: 1, max: 6 }),
    limit: fc.constantFrom(3, 20, 100),
  },
  { requiredKeys: ["limit"] },
)

test("filters together find what fulfils them all, newest first", async () => {
  await fc.assert(
    fc.asyncProperty(asked, async ({ customer, status, money, country, fromDay, toDay, limit }) => {
      const query: Record<string, string> = { limit: String(limit), count: "exact" }
      if (customer !== undefined) query.customer_id = `customer-${customer}`
      if (status) query.status = status.join(",")
      if (money) query.currency = money.currency
      if (money?.least !== undefined) query.amount_min = decimal(money.least, money.currency)
      if (money?.most !== undefined) query.amount_max = decimal(money.most, money.currency)
      if (country) query.country = country
      if (fromDay) query.from = `2025-06-0${fromDay}`
      if (toDay) query.to = `2025-06-0${toDay}`
      const wanted = orders
        .filter(
          (order) =>
            (customer === undefined || order.customerId === `customer-${customer}`) &&
            (!status || status.includes(order.status)) &&
            (!money || order.currency === money.currency) &&
            (money?.least === undefined || order.subtotalMinor >= money.least) &&
            (money?.most === undefined || order.subtotalMinor <= money.most) &&
            (!country || order.country === country) &&
            (!fromDay || order.createdAt >= `2025-06-0${fromDay}`) &&
            (!toDay || order.createdAt < `2025-06-0${toDay}`),
        )
        .sort((a, b) => (a.createdAt + a.id < b.createdAt + b.id ? 1 : -1))
        .map(({ id }) => id)
      expect(await find(query)).toEqual({ ids: wanted, total: wanted.length })
    }),
    propertyRuns("order search", 60),
  )
})

test.each([
  ["door", [1, 2]],
  ["DOOR leave", [1]],
  ["leave door missing", []],
  ["tür", [3]],
  ["TÜR für", [3]],
  ["o'neill", [2]],
  ["'x' & !y:* | \\", [3]],
  ["42", [4]],
  ["%", null],
])("words of the note: %s", async (q, found) => {
  if (found === null) return expect((await app.get(`/orders?q=${encodeURIComponent(q)}`)).status).toBe(400)
  const { ids } = await find({ q, limit: "100" })
  expect(ids.sort()).toEqual(orders.filter((_, n) => found.some((one) => one === n % 5)).map(({ id }) => id))
})

test("a note of any length is stored and found by how it begins", async () => {
  const words = Array.from({ length: 300_000 }, (_, n) => `w${n.toString(36)}`).join(" ")
  await insertOrder(models.db, { id: "order-long", note: `needle ${words}`, customerId: "long" })
  expect(await find({ q: "needle" })).toEqual({ ids: ["order-long"], total: undefined })
  await sql`delete from read_1.orders where id = 'order-long'`.execute(models.db)
})
