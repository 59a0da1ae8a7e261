import { sql } from "kysely"
import { describe, expect, test } from "vitest"
import { z } from "zod"
import { createQueryApp } from "../given/query-app.ts"
import { deriveAll, insertOrder, type TestOrder } from "../given/read-models.ts"
import { givenReadSide } from "../given/read-side.ts"

/** Both sides of day, week, month and year ends; 2024-12-30 is a Monday of ISO week 2025-W01. */
const edges = [
  "2024-02-29T23:59:59.999999Z",
  "2024-03-01T00:00:00Z",
  "2024-12-29T23:59:59.999999Z",
  "2024-12-30T00:00:00Z",
  "2024-12-31T23:59:59.999999Z",
  "2025-01-01T00:00:00Z",
  "2025-01-05T23:59:59Z",
  "2025-01-06T00:00:00Z",
  "2025-03-30T00:59:59Z",
  "2025-03-30T01:00:00Z",
  "2025-10-26T00:30:00Z",
  "2025-10-26T01:30:00Z",
  "2025-10-31T23:45:00Z",
  "2025-11-01T00:14:59.999999Z",
  "2025-11-20T08:00:00Z",
]

const { models, app } = givenReadSide("analytics", async ({ db }) => {
  let n = 0
  for (const createdAt of edges) {
    for (const currency of ["USD", "JPY", "KWD"]) {
      for (const status of ["draft", "confirmed", "cancelled"]) {
        n += 1
        const order: TestOrder = {
          id: `order-${n}`,
          createdAt,
          currency,
          status,
          discountMinor: BigInt(n % 4),
          items: [
            ["product-1", 1 + (n % 3), BigInt(100 + n)],
            ["product-2", 1, 7n],
          ],
        }
        if (!(currency === "KWD" && createdAt < "2025")) await insertOrder(db, order)
      }
    }
  }
  await sql`update read_1.orders set deleted = true where id = 'order-1'`.execute(db)
  await sql`update read_1.order_items set deleted = true where order_id = 'order-2' and line = 2`.execute(db)
  await deriveAll(db)
})

type Row = Record<string, unknown>

const rowsOf = async (query: string): Promise<Row[]> => {
  const response = await app.get(`/analytics/orders?${query}`)
  expect(response.status).toBe(200)
  return z.object({ rows: z.array(z.record(z.string(), z.unknown())) }).parse(await response.json()).rows
}

/** The same figures straight from the orders, by other SQL. */
async function recompute(unit: string, label: string, from: string, to: string): Promise<Row[]> {
  const { rows } = await sql<{ row: Row }>`
    select json_build_object(
      'period', to_char(date_trunc(${sql.lit(unit)}, o.created_at at time zone 'UTC'), ${label}),
      'currency', o.currency,
      'orders', count(*) filter (where status <> 'cancelled'),
      'items', coalesce(sum(items) filter (where status <> 'cancelled'), 0),
      'gross', coalesce(sum(subtotal_minor) filter (where status <> 'cancelled'), 0),
      'discount', coalesce(sum(discount_minor) filter (where status <> 'cancelled'), 0),
      'cancelled', count(*) filter (where status = 'cancelled')) as row
    from read_1.orders o
    left join lateral (select sum(quantity) as items from read_1.order_items i
      where i.order_id = o.id and not i.deleted) i on true
    where not o.deleted and o.created_at >= ${from} and o.created_at < ${to}
    group by date_trunc(${sql.lit(unit)}, o.created_at at time zone 'UTC'), o.currency
    order by date_trunc(${sql.lit(unit)}, o.created_at at time zone 'UTC'), o.currency`.execute(models.db)
  return rows.map(({ row }) => row)
}

const digits: Record<string, number> = { USD: 2, JPY: 0, KWD: 3 }
const minorOf = (money: unknown, currency: unknown): number => {
  if (typeof money !== "object" || money === null || !("amount" in money)) throw new Error("no money")
  const [whole = "", fraction = ""] = String(money.amount).split(".")
  expect(fraction).toHaveLength(digits[String(currency)] ?? 2)
  return Number(whole + fraction)
}

describe("analytics of orders", () => {
  test.each([
    ["daily", "day", "YYYY-MM-DD"],
    ["weekly", "week", 'IYYY-"W"IW'],
    ["monthly", "month", "YYYY-MM"],
  ])("per period %s are what SQL over the orders says, to the cent", async (period, unit, label) => {
    const [from, to] = ["2024-02-01T00:00:00Z", "2025-12-01T00:00:00Z"]
    const rows = await rowsOf(`period=${period}&from=${from}&to=${to}`)
    const sold = rows
      .filter((row) => row.orders !== 0 || row.cancelled !== 0)
      .map((row) => {
        const gross = minorOf(row.gross, row.currency)
        const discount = minorOf(row.discount, row.currency)
        expect(minorOf(row.net, row.currency)).toBe(gross - discount)
        if (row.average !== null) {
          const average = Math.floor((2 * (gross - discount) + Number(row.orders)) / (2 * Number(row.orders)))
          expect(minorOf(row.average, row.currency)).toBe(average)
        }
        return {
          period: row.period,
          currency: row.currency,
          orders: row.orders,
          items: row.items,
          gross,
          discount,
          cancelled: row.cancelled,
        }
      })
    expect(sold).toEqual(await recompute(unit, label, from, to))
    expect(sold.length).toBeGreaterThan(15)
  })

  test("have a row for every period and every currency of the range, also without sales", async () => {
    const rows = await rowsOf("period=monthly&from=2025-01-01&to=2025-12-01")
    expect(rows).toHaveLength(11 * 3)
    expect(rows.filter(({ period }) => period === "2025-07")).toEqual(
      ["JPY", "KWD", "USD"].map((currency) =>
        expect.objectContaining({
          start: "2025-07-01T00:00:00.000000Z",
          end: "2025-08-01T00:00:00.000000Z",
          currency,
          orders: 0,
          average: null,
        }),
      ),
    )
    expect(await rowsOf("period=monthly&from=2020-01-01&to=2020-03-01")).toEqual([])
    expect(await rowsOf("period=monthly&from=2020-01-01&to=2020-03-01&currency=EUR")).toHaveLength(2)
  })

  test("count in the first and last period only what lies in the range, and say so", async () => {
    const rows = await rowsOf("period=weekly&from=2024-12-31&to=2025-01-06T00:15:00Z&currency=USD")
    expect(rows).toMatchObject([
      {
        period: "2025-W01",
        start: "2024-12-31T00:00:00.000000Z",
        end: "2025-01-06T00:00:00.000000Z",
        orders: 6,
      },
      {
        period: "2025-W02",
        start: "2025-01-06T00:00:00.000000Z",
        end: "2025-01-06T00:15:00.000000Z",
        orders: 2,
      },
    ])
  })

  test("show the last twelve months when nothing is said", async () => {
    const response = await app.get("/analytics/orders")
    expect(await response.json()).toMatchObject({
      period: "monthly",
      time_zone: "UTC",
      week_starts_on: "monday",
      average_is: "net / orders, rounded half up to the minor unit",
      from: "2024-12-01T00:00:00.000000Z",
      to: "2025-12-01T00:00:00.000000Z",
    })
  })

  test.each([
    ["daily", "2025-10-25", "2025-11-24"],
    ["weekly", "2025-09-01", "2025-11-24"],
  ])("show a sensible range of %s periods when nothing is said", async (period, from, to) => {
    const response = await app.get(`/analytics/orders?period=${period}`)
    expect(await response.json()).toMatchObject({
      from: `${from}T00:00:00.000000Z`,
      to: `${to}T00:00:00.000000Z`,
    })
  })

  test("round the average half up", async () => {
    await sql`delete from read_1.sales_by_quarter_hour where currency = 'EUR'`.execute(models.db)
    await sql`insert into read_1.sales_by_quarter_hour (bucket, currency, status, country, orders, items, gross_minor,
        discount_minor, cancelled, captured_minor, refunded_minor, paid, refunded)
      values ('2023-01-01', 'EUR', 'paid', '', 2, 2, 5, 0, 0, 0, 0, 0, 0),
        ('2023-02-01', 'EUR', 'paid', '', 3, 3, 10, 0, 0, 0, 0, 0, 0),
        ('2023-03-01', 'EUR', 'paid', '', 2, 2, 9223372036854775805, 0, 0, 0, 0, 0, 0)`.execute(models.db)
    const rows = await rowsOf("period=monthly&from=2023-01-01&to=2023-04-01&currency=EUR")
    expect(rows.map(({ average }) => average)).toEqual(
      ["0.03", "0.03", "46116860184273879.03"].map((amount) => ({ amount, currency: "EUR" })),
    )
    await sql`delete from read_1.sales_by_quarter_hour where currency = 'EUR'`.execute(models.db)
  })

  test("do not depend on the time zone of the session", async () => {
    const here = await rowsOf("period=daily&from=2025-03-29&to=2025-04-01")
    await sql`do $$ begin
      execute format('alter role reader in database %I set timezone = %L', current_database(), 'America/New_York');
    end $$`.execute(models.db)
    const fresh = createQueryApp(models)
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and usename = 'reader'`.execute(models.db)
    const response = await fresh.get("/analytics/orders?period=daily&from=2025-03-29&to=2025-04-01")
    expect(await response.json()).toMatchObject({ rows: here })
    await fresh.close()
  })
})
