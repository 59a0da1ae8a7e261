// Derived models are kept by difference, never by counting events: after every batch of any history they equal their
// own SQL over all rows.
import fc from "fast-check"
import { expect, test } from "vitest"
import type { DerivedModel } from "../../../../query/cdc/projection/projection.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { givenGeneration, tableOf, transaction, upsert } from "../given/generation.ts"
import { createOrdersAtWork } from "../given/orders-at-work.ts"

const generation = givenGeneration("derive", orderProjections)

/** Groups that are in the table and not in the SQL, or the other way round. */
async function differences({ name, groupBy, sums, contribution }: DerivedModel): Promise<unknown[]> {
  const columns = [...groupBy.map((group) => group.name), ...sums.map((sum) => `${sum}::numeric`)].join(", ")
  const derived = `select ${columns} from ${generation.schema}.${name}`
  const computed = `select ${columns} from (${contribution(generation.schema, null)}) computed`
  const { rows } = await generation.admin.query(
    `select to_jsonb(d) from ((${derived} except ${computed}) union all (${computed} except ${derived})) d`,
  )
  return rows
}

const orders = tableOf(orderProjections, "orders")
const order = {
  id: "o",
  customer_id: "c1",
  status: "draft",
  currency: "USD",
  created_at: "2025-01-01T00:00:00Z",
}

test("after every batch of any history the tables equal their SQL", async () => {
  await fc.assert(
    fc.asyncProperty(tapes(250), async (tape) => {
      await generation.empty()
      const choices = choicesFrom(tape)
      const work = createOrdersAtWork(choices)
      while (!choices.isOver()) {
        const batch = Array.from({ length: 1 + choices.pick(4) }, () => work.next())
        await generation.apply(batch)
        for (const model of orderProjections.derived) expect(await differences(model), model.name).toEqual([])
      }
    }),
    propertyRuns("derived models", 12),
  )
})

test("a group in which nothing is left is gone", async () => {
  await generation.empty()
  await generation.apply([transaction(100, [upsert(orders, 1, { ...order, subtotal_minor: 5n })])])
  await generation.apply([
    transaction(200, [upsert(orders, 101, { ...order, customer_id: "c2", subtotal_minor: 5n })]),
  ])
  const { rows } = await generation.admin.query(
    `select customer_id, orders::int, gross_minor::text from ${generation.schema}.customer_totals`,
  )
  expect(rows).toEqual([{ customer_id: "c2", orders: 1, gross_minor: "5" }])
})

test("sums of amounts as large as a column holds are exact", async () => {
  await generation.empty()
  const largest = 2n ** 63n - 1n
  const large = { ...order, subtotal_minor: largest, total_minor: largest }
  await generation.apply([transaction(100, [upsert(orders, 1, { ...large, id: "o1" })])])
  await generation.apply([transaction(200, [upsert(orders, 101, { ...large, id: "o2" })])])
  const { rows } = await generation.admin.query(
    `select gross_minor::text as gross from ${generation.schema}.customer_totals`,
  )
  expect(rows).toEqual([{ gross: String(2n * largest) }])
  for (const model of orderProjections.derived) expect(await differences(model)).toEqual([])
})

test("a change that the guard refuses changes no sum", async () => {
  await generation.empty()
  await generation.apply([transaction(100, [upsert(orders, 1, { ...order, subtotal_minor: 5n })])])
  const stale = { ...transaction(200, [upsert(orders, 2, { ...order, subtotal_minor: 99n })]) }
  const applied = await generation.apply([stale], { epoch: 0 })
  expect(applied).toMatchObject({ rows: 1, stale: 1 })
  for (const model of orderProjections.derived) expect(await differences(model)).toEqual([])
})
