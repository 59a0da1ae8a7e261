// SUM: after every batch of any history every derived model equals SQL over plain tables with the source's rows, which
// is written another way than the model's own: it starts from the rows that count and knows nothing of contributions.
import fc from "fast-check"
import { afterAll, beforeAll, expect, test } from "vitest"
import { orderProjections } from "../../../query/orders/projections.ts"
import { choicesFrom, propertyRuns, tapes } from "../../support/properties.ts"
import { createTestGeneration, type TestGeneration } from "../cdc/generation.ts"
import { createOrdersAtWork } from "../cdc/orders-at-work.ts"

let generation: TestGeneration
beforeAll(async () => {
  generation = await createTestGeneration("derived_models", orderProjections)
  await generation.admin.query("create schema plain")
  for (const { name, key, columns } of orderProjections.tables) {
    const list = [...key, ...columns].map((column) => `${column.name} ${column.type}`)
    await generation.admin.query(`create table plain.${name} (${list.join(", ")})`)
  }
})
afterAll(() => generation.close())

const quarter = "to_timestamp(floor(extract(epoch from o.created_at) / 900) * 900)"
const orderSums = `
  sum((o.status <> 'cancelled')::int) as orders,
  sum(case when o.status = 'cancelled' then 0 else (
    select coalesce(sum(quantity), 0) from plain.order_items i where i.order_id = o.id) end) as items,
  sum(case when o.status = 'cancelled' then 0 else o.subtotal_minor end) as gross_minor,
  sum(case when o.status = 'cancelled' then 0 else o.discount_minor end) as discount_minor,
  sum((o.status = 'cancelled')::int) as cancelled,
  sum(o.captured_minor) as captured_minor, sum(o.refunded_minor) as refunded_minor,
  sum((o.captured_minor > 0)::int) as paid, sum((o.refunded_minor > 0)::int) as refunded`

const overTheSource: Readonly<Record<string, string>> = {
  sales_by_quarter_hour: `select ${quarter} as bucket, o.currency, o.status, coalesce(o.country, '') as country,
    ${orderSums} from plain.orders o group by 1, 2, 3, 4`,
  sales_by_customer: `select ${quarter} as bucket, o.currency, o.customer_id, ${orderSums}
    from plain.orders o group by 1, 2, 3`,
  sales_by_product: `
    select bucket, currency, product_id, sum(alive) as orders, sum(alive * items) as items,
      sum(alive * gross) as gross_minor, sum(1 - alive) as cancelled, sum((1 - alive) * items) as cancelled_items
    from (
      select o.id, ${quarter} as bucket, o.currency, i.product_id, (o.status <> 'cancelled')::int as alive,
        sum(i.quantity) as items, sum(i.quantity * i.unit_price_minor) as gross
      from plain.order_items i join plain.orders o on o.id = i.order_id group by 1, 2, 3, 4, 5
    ) bought group by 1, 2, 3`,
  customer_totals: `select o.customer_id, o.currency,
    sum((o.status <> 'cancelled')::int) as orders,
    sum(case when o.status = 'cancelled' then 0 else o.subtotal_minor end) as gross_minor,
    sum(case when o.status = 'cancelled' then 0 else o.discount_minor end) as discount_minor,
    sum(case when o.status = 'cancelled' then 0 else o.total_minor end) as total_minor,
    sum((o.status = 'cancelled')::int) as cancelled,
    sum(o.captured_minor) as captured_minor, sum(o.refunded_minor) as refunded_minor
    from plain.orders o group by 1, 2`,
  customer_products: `
    select customer_id, product_id, count(*) as orders, sum(items) as items
    from (
      select o.customer_id, o.id, i.product_id, sum(i.quantity) as items
      from plain.order_items i join plain.orders o on o.id = i.order_id
      where o.status in ('draft', 'confirmed', 'paid', 'shipped', 'delivered') group by 1, 2, 3
    ) bought group by 1, 2`,
  first_orders: `
    select distinct on (o.customer_id) o.customer_id, ${quarter} as bucket
    from plain.orders o where o.status <> 'cancelled' order by o.customer_id, o.created_at`,
}

/** Rows that only one side has. */
async function differences(name: string): Promise<unknown[]> {
  const derived = orderProjections.derived.find((one) => one.name === name)
  const recomputed = orderProjections.recomputed.find((one) => one.name === name)
  const columns = derived
    ? [...derived.groupBy.map((group) => group.name), ...derived.sums.map((sum) => `${sum}::numeric`)]
    : [...(recomputed?.key ?? []), ...(recomputed?.columns ?? [])].map((column) => column.name)
  const list = columns.join(", ")
  const stored = `select ${list} from ${generation.schema}.${name}`
  const computed = `select ${list} from (${overTheSource[name]}) computed`
  const { rows } = await generation.admin.query(
    `select to_jsonb(d) from (
       (${stored} except all ${computed}) union all (${computed} except all ${stored})) d`,
  )
  return rows
}

async function writeSource(rows: Readonly<Record<string, readonly unknown[]>>): Promise<void> {
  for (const [table, living] of Object.entries(rows)) {
    const json = JSON.stringify(living, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    )
    await generation.admin.query(`truncate plain.${table}`)
    await generation.admin.query(
      `insert into plain.${table} select * from json_populate_recordset(null::plain.${table}, $1)`,
      [json],
    )
  }
}

test("every model is compared", () => {
  const names = [...orderProjections.derived, ...orderProjections.recomputed].map(({ name }) => name)
  expect(Object.keys(overTheSource).sort()).toEqual(names.sort())
})

test("after every batch of any history the models equal SQL over the source", async () => {
  await fc.assert(
    fc.asyncProperty(tapes(250), async (tape) => {
      await generation.empty()
      const choices = choicesFrom(tape)
      const work = createOrdersAtWork(choices)
      while (!choices.isOver()) {
        await generation.apply(Array.from({ length: 1 + choices.pick(6) }, () => work.next()))
        await writeSource(work.rows())
        for (const name of Object.keys(overTheSource)) expect(await differences(name), name).toEqual([])
      }
    }),
    propertyRuns("models over the source", 10),
  )
})
