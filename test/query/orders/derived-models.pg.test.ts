// SUM: after every batch of any history every derived model equals SQL over plain tables with the source's rows, which
// is written another way than the model's own: it starts from the rows that count and knows nothing of contributions.
import fc from "fast-check"
import { beforeAll, expect, test } from "vitest"
import { orderProjections } from "../../../query/orders/projections.ts"
import { choicesFrom, propertyRuns, tapes } from "../../support/properties.ts"
import { givenGeneration } from "../cdc/given/generation.ts"
import { createOrdersAtWork } from "../cdc/given/orders-at-work.ts"
import { overTheSource } from "./given/over-the-source.ts"

const generation = givenGeneration("derived_models", orderProjections)
beforeAll(async () => {
  await generation.admin.query("create schema plain")
  for (const { name, key, columns } of orderProjections.tables) {
    const list = [...key, ...columns].map((column) => `${column.name} ${column.type}`)
    await generation.admin.query(`create table plain.${name} (${list.join(", ")})`)
  }
})

const computedFrom = overTheSource("plain")

/** Rows that only one side has. */
async function differences(name: string): Promise<unknown[]> {
  const derived = orderProjections.derived.find((one) => one.name === name)
  const recomputed = orderProjections.recomputed.find((one) => one.name === name)
  const columns = derived
    ? [...derived.groupBy.map((group) => group.name), ...derived.sums.map((sum) => `${sum}::numeric`)]
    : [...(recomputed?.key ?? []), ...(recomputed?.columns ?? [])].map((column) => column.name)
  const list = columns.join(", ")
  const stored = `select ${list} from ${generation.schema}.${name}`
  const computed = `select ${list} from (${computedFrom[name]}) computed`
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
  expect(Object.keys(computedFrom).sort()).toEqual(names.sort())
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
        for (const name of Object.keys(computedFrom)) expect(await differences(name), name).toEqual([])
      }
    }),
    propertyRuns("models over the source", 10),
  )
})
