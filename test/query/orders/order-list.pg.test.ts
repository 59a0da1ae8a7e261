import { describe, expect, test } from "vitest"
import { z } from "zod"
import { insertCustomer, insertOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

const count = 57
const statuses = ["draft", "confirmed", "cancelled"] as const
// Only three moments, a microsecond apart, so that most neighbours share theirs.
const momentOf = (n: number): string => `2025-06-01T00:00:00.00000${n % 3}Z`
const orders = Array.from({ length: count }, (_, n) => ({
  id: `order-${String(n).padStart(3, "0")}`,
  customerId: `customer-${n % 2}`,
  status: statuses[n % statuses.length] ?? "draft",
  createdAt: momentOf(n),
}))
const newestFirst = [...orders].sort((a, b) =>
  a.createdAt === b.createdAt ? (a.id < b.id ? 1 : -1) : a.createdAt < b.createdAt ? 1 : -1,
)

const { models, app } = givenReadSide("order_list", async ({ db }) => {
  await insertCustomer(db, "customer-0")
  for (const order of orders) await insertOrder(db, order)
})

const page = z.object({ orders: z.array(z.object({ id: z.string() })), next: z.string().nullable() })

async function readPages(path: string, between: () => Promise<void> = async () => {}): Promise<string[][]> {
  const pages: string[][] = []
  for (let next: string | null = path; next !== null; ) {
    const response = await app.get(next)
    expect(response.status).toBe(200)
    const body = page.parse(await response.json())
    expect(response.headers.get("link")).toBe(body.next === null ? null : `<${body.next}>; rel="next"`)
    pages.push(body.orders.map(({ id }) => id))
    next = body.next
    await between()
  }
  return pages
}

describe("the order list", () => {
  test("shows twenty orders, newest first, unless told otherwise", async () => {
    const [first] = await readPages("/orders")
    expect(first).toEqual(newestFirst.slice(0, 20).map(({ id }) => id))
  })

  test.each([1, 7, 19, 56, 57, 100])(
    "cuts pages of %d without repeating or losing an order",
    async (limit) => {
      const pages = await readPages(`/orders?limit=${limit}`)
      expect(pages.flat()).toEqual(newestFirst.map(({ id }) => id))
      expect(pages.every((ids) => ids.length <= limit)).toBe(true)
      expect(pages).toHaveLength(Math.ceil(count / limit))
    },
  )

  test("keeps pages stable while orders are added before and after them", async () => {
    let n = 0
    const pages = await readPages("/orders?limit=10", async () => {
      n += 1
      await insertOrder(models.db, {
        id: `order-new-${n}`,
        createdAt: "2025-07-01T00:00:00Z",
        customerId: "late",
      })
      await insertOrder(models.db, { id: `order-aaa-${n}`, createdAt: momentOf(2), customerId: "late" })
    })
    const known = new Set(orders.map(({ id }) => id))
    expect(pages.flat().filter((id) => known.has(id))).toEqual(newestFirst.map(({ id }) => id))
    expect(new Set(pages.flat()).size).toBe(pages.flat().length)
  })

  test("filters by customer, status and time, also over pages", async () => {
    const pages = await readPages(
      "/orders?customer_id=customer-1&status=draft&limit=4&from=2025-06-01&to=2025-06-01T02:00:00.000002%2B02:00",
    )
    const wanted = newestFirst.filter(
      (order) =>
        order.customerId === "customer-1" && order.status === "draft" && order.createdAt < momentOf(2),
    )
    expect(wanted.length).toBeGreaterThan(4)
    expect(pages.flat()).toEqual(wanted.map(({ id }) => id))
  })

  test("is empty where nothing matches", async () => {
    expect(await readPages("/orders?customer_id=nobody")).toEqual([[]])
  })

  test("pages a customer's orders the same way", async () => {
    const pages = await readPages("/customers/customer-0/orders?limit=5")
    const wanted = newestFirst.filter(({ customerId }) => customerId === "customer-0")
    expect(pages.flat()).toEqual(wanted.map(({ id }) => id))
  })
})
