// Whether what the query service answers over HTTP is what the write tables say. Both sides become lines of text, the
// answer's from its JSON, the other from SQL over the write tables; amounts are whole minor units on both.
// One file: it is one table of answers and the SQL that each must equal.
import type pg from "pg"
import { z } from "zod"
import { parseAmount } from "../../command/vocabulary/money.ts"
import { type Comparison, summary } from "./compare-models.ts"

export type Ask = (path: string) => Promise<unknown>

const money = z
  .object({ amount: z.string(), currency: z.string() })
  .transform(({ amount, currency }) => parseAmount(amount, currency))
const maybeMoney = money.nullable()
const count = z.number().int()

const analytics = z.object({
  rows: z.array(
    z.object({
      period: z.string(),
      currency: z.string(),
      status: z.string().nullish(),
      product: z.string().nullish(),
      customer: z.string().nullish(),
      country: z.string().nullish(),
      orders: count,
      items: count,
      gross: money,
      cancelled: count,
      captured: maybeMoney,
      refunded: maybeMoney,
    }),
  ),
})

type Grouping = "status" | "product" | "customer" | "country"
const groupings: readonly (Grouping | undefined)[] = [undefined, "status", "product", "customer", "country"]

/** Asks everything that sums orders, and a sample of what shows one thing. */
export async function compareAnswers(source: pg.Pool, ask: Ask): Promise<Comparison[]> {
  const since = await firstMonth(source)
  const compared: Comparison[] = []
  for (const group of groupings) {
    for (const zone of group === undefined ? ["UTC", "Asia/Kolkata"] : ["UTC"]) {
      compared.push(await compareSales(source, ask, since, group, zone))
    }
  }
  compared.push(
    await compareTopProducts(source, ask, since),
    await compareCohorts(source, ask, since),
    await compareStock(source, ask),
    await compareCounts(source, ask),
    await compareCustomers(source, ask),
    await compareOrders(source, ask),
  )
  return compared
}

async function compareSales(
  source: pg.Pool,
  ask: Ask,
  since: string,
  group: Grouping | undefined,
  zone: string,
): Promise<Comparison> {
  const grouped = group === undefined ? "" : `&group_by=${group}&limit=100`
  const path = `/analytics/orders?period=monthly&from=${since}&time_zone=${zone}${grouped}`
  const { rows } = analytics.parse(await ask(path))
  const answered = rows
    .filter((row) => row.orders + row.cancelled > 0)
    .map((row) =>
      line(
        row.period,
        row.currency,
        group === undefined ? "" : (row[group] ?? ""),
        row.orders,
        row.items,
        row.gross,
        row.cancelled,
        row.captured,
        row.refunded,
      ),
    )
  const members = { status: "o.status", customer: "o.customer_id", country: "coalesce(o.country, '')" }
  const text =
    group === "product"
      ? `select month, currency, product_id, count(*) filter (where alive), coalesce(sum(items) filter (where alive), 0),
           coalesce(sum(gross) filter (where alive), 0), count(*) filter (where not alive), null, null
         from (
           select o.id, to_char(o.created_at at time zone $1, 'YYYY-MM') as month, o.currency, i.product_id,
             o.status <> 'cancelled' as alive, sum(i.quantity) as items, sum(i.quantity * i.unit_price_minor) as gross
           from orders o join order_items i on i.order_id = o.id group by 1, 2, 3, 4
         ) bought group by 1, 2, 3`
      : `select to_char(o.created_at at time zone $1, 'YYYY-MM'), o.currency,
           ${group === undefined ? "''" : members[group]}, count(*) filter (where alive),
           coalesce(sum(i.items) filter (where alive), 0), coalesce(sum(o.subtotal_minor) filter (where alive), 0),
           count(*) filter (where not alive), sum(o.captured_minor), sum(o.refunded_minor)
         from (select *, status <> 'cancelled' as alive from orders) o
         cross join lateral (
           select coalesce(sum(quantity), 0) as items from order_items where order_id = o.id
         ) i group by 1, 2, 3`
  const computed = await select(source, text, [zone])
  const most = group === "product" || group === "customer"
  return compareLines(`GET ${path}`, computed, answered, most ? "shown" : "all")
}

async function compareTopProducts(source: pg.Pool, ask: Ask, since: string): Promise<Comparison> {
  const path = `/analytics/products?from=${since}&limit=100`
  const line_ = z.object({
    product_id: z.string(),
    currency: z.string(),
    orders: count,
    items: count,
    gross: money,
  })
  const { products } = z.object({ products: z.array(line_) }).parse(await ask(path))
  const computed = await select(
    source,
    `select i.product_id, o.currency, count(distinct o.id), sum(i.quantity), sum(i.quantity * i.unit_price_minor)
     from order_items i join orders o on o.id = i.order_id where o.status <> 'cancelled' group by 1, 2`,
  )
  const answered = products
    .filter(({ orders }) => orders > 0)
    .map((one) => line(one.product_id, one.currency, one.orders, one.items, one.gross))
  return compareLines(`GET ${path}`, computed, answered, "shown")
}

async function compareCohorts(source: pg.Pool, ask: Ask, since: string): Promise<Comparison> {
  const path = `/analytics/cohorts?from=${since}`
  const month = z.object({ month: z.string(), customers: count, orders: count })
  const cohort = z.object({ month: z.string(), customers: count, months: z.array(month) })
  const { cohorts } = z.object({ cohorts: z.array(cohort) }).parse(await ask(path))
  const computed = await select(
    source,
    `with alive as (
       select customer_id, date_trunc('month', created_at at time zone 'UTC') as month from orders
       where status <> 'cancelled'
     ),
     first as (select customer_id, min(month) as cohort from alive group by 1)
     select to_char(cohort, 'YYYY-MM'), to_char(month, 'YYYY-MM'), count(distinct customer_id), count(*)
     from alive join first using (customer_id) group by 1, 2`,
  )
  const answered = cohorts.flatMap((one) =>
    one.months.map(({ month, customers, orders }) => line(one.month, month, customers, orders)),
  )
  return compareLines(`GET ${path}`, computed, answered)
}

async function compareStock(source: pg.Pool, ask: Ask): Promise<Comparison> {
  const stock = z.object({ product_id: z.string(), on_hand: count, reserved: count, available: count })
  const page = z.object({ inventory: z.array(stock), next: z.string().nullable() })
  const answered: string[] = []
  for (let next: string | null = "/inventory?limit=100"; next !== null; ) {
    const found: z.infer<typeof page> = page.parse(await ask(next))
    answered.push(
      ...found.inventory.map((one) => line(one.product_id, one.on_hand, one.reserved, one.available)),
    )
    next = found.next
  }
  const text = "select product_id, on_hand, reserved, on_hand - reserved from inventory"
  return compareLines("GET /inventory, all pages", await select(source, text), answered)
}

async function compareCounts(source: pg.Pool, ask: Ask): Promise<Comparison> {
  const statuses = ["draft", "confirmed", "paid", "shipped", "delivered", "cancelled"]
  const answered = await Promise.all(
    statuses.map(async (status) => {
      const answer = await ask(`/orders?status=${status}&limit=1&count=exact`)
      return line(status, z.object({ total: count }).parse(answer).total)
    }),
  )
  const computed = await select(
    source,
    "select status, count(o.id) from unnest($1::text[]) status left join orders o using (status) group by 1",
    [statuses],
  )
  return compareLines("GET /orders?status=..&count=exact", computed, answered)
}

const sample = 100

async function compareCustomers(source: pg.Pool, ask: Ask): Promise<Comparison> {
  const totals = z.object({
    currency: z.string(),
    orders: count,
    total: money,
    cancelled: count,
    lifetime_value: money,
  })
  const profile = z.object({ id: z.string(), name: z.string(), email: z.string(), totals: z.array(totals) })
  const computed = await select(
    source,
    `select c.id, c.name, c.email, o.currency, count(*) filter (where o.status <> 'cancelled'),
       coalesce(sum(o.total_minor) filter (where o.status <> 'cancelled'), 0),
       count(*) filter (where o.status = 'cancelled'), sum(o.captured_minor - o.refunded_minor)
     from (select * from customers where id in (select customer_id from orders) order by md5(id) limit $1) c
     join orders o on o.customer_id = c.id group by 1, 2, 3, 4`,
    [sample],
  )
  const ids = new Set(computed.map((one) => one.split("|")[0] ?? ""))
  const answered: string[] = []
  for (const id of ids) {
    const { name, email, totals } = profile.parse(await ask(`/customers/${encodeURIComponent(id)}`))
    answered.push(
      ...totals.map((one) =>
        line(id, name, email, one.currency, one.orders, one.total, one.cancelled, one.lifetime_value),
      ),
    )
  }
  return compareLines(`GET /customers/{id}, ${ids.size} of them`, computed, answered)
}

async function compareOrders(source: pg.Pool, ask: Ask): Promise<Comparison> {
  const order = z.object({
    id: z.string(),
    status: z.string(),
    version: count,
    items: z.array(z.object({ quantity: count })),
    discount: money,
    total: money,
    payments: z.array(z.unknown()),
  })
  const computed = await select(
    source,
    `select o.id, o.status, o.version, (select coalesce(sum(quantity), 0) from order_items i where i.order_id = o.id),
       o.discount_minor, o.total_minor, (select count(*) from payments p where p.order_id = o.id)
     from orders o order by md5(o.id) limit $1`,
    [sample],
  )
  const answered: string[] = []
  for (const one of computed) {
    const id = one.split("|")[0] ?? ""
    const shown = order.parse(await ask(`/orders/${encodeURIComponent(id)}`))
    const items = shown.items.reduce((sum, { quantity }) => sum + quantity, 0)
    const { status, version, discount, total, payments } = shown
    answered.push(line(shown.id, status, version, items, discount, total, payments.length))
  }
  return compareLines(`GET /orders/{id}, ${computed.length} of them`, computed, answered)
}

type Part = string | number | bigint | null | undefined

const line = (...parts: readonly Part[]): string => parts.map((part) => String(part ?? "")).join("|")

async function select(source: pg.Pool, text: string, values: unknown[] = []): Promise<string[]> {
  const { rows } = await source.query<Part[]>({ text, values, rowMode: "array" })
  return rows.map((row) => line(...row))
}

/** `shown`: the answer shows only the first of many, so what it lacks is no difference while it shows something. */
function compareLines(
  what: string,
  computed: readonly string[],
  answered: readonly string[],
  extent: "all" | "shown" = "all",
): Comparison {
  const [left, right] = [new Set(computed), new Set(answered)]
  const wrong = answered.filter((one) => !left.has(one)).map((one) => `answered, not so: ${one}`)
  const missing = computed.filter((one) => !right.has(one)).map((one) => `not answered: ${one}`)
  const isCut = extent === "shown" && answered.length >= 100
  return { what, rows: answered.length, differences: summary([...wrong, ...(isCut ? [] : missing)]) }
}

async function firstMonth(source: pg.Pool): Promise<string> {
  const { rows } = await source.query<{ day: string }>(
    `select to_char(date_trunc('month', min(created_at) at time zone 'UTC') - interval '1 month', 'YYYY-MM-DD') as day
     from orders`,
  )
  return rows[0]?.day ?? "2025-01-01"
}
