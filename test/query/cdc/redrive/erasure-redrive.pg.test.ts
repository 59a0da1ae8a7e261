// Personal data that was erased does not come back by what was parked before: whatever was refused or could not be read,
// in whatever order it is redriven.
import fc from "fast-check"
import { beforeAll, expect, test } from "vitest"
import type { DataRecord, Transaction } from "../../../../query/cdc/vocabulary/change.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { givenGeneration, tableOf, transaction, upsert } from "../given/generation.ts"
import { createParkedHistory, numbered, type ParkedHistory, type Step } from "../given/parked-history.ts"

const customers = tableOf(orderProjections, "customers")
const orders = tableOf(orderProjections, "orders")
const shipments = tableOf(orderProjections, "shipments")
const tables = [customers.name, orders.name, shipments.name]

const generation = givenGeneration("erasure_redrive", orderProjections)
let parked: ParkedHistory
beforeAll(async () => {
  parked = createParkedHistory(generation, tables)
})

const createdAt = "2026-01-01T00:00:00Z"
const erased = { name: "Erased", email: "erased", erased_at: createdAt }
const customer = (at: number, more: object) =>
  upsert(customers, at, { id: "customer-1", version: at, created_at: createdAt, ...more })
const order = (at: number, id: string, more: object) =>
  upsert(orders, at, {
    id,
    customer_id: "customer-1",
    status: "cancelled",
    currency: "USD",
    created_at: createdAt,
    ...more,
  })
const shipment = (at: number, id: string, more: object) =>
  upsert(shipments, at, { order_id: id, shipment: 1, carrier: "post", created_at: createdAt, ...more })

/** Changes of a customer with two orders, each of which holds something secret; then the erasure; then some more. */
function writeLife(choices: Choices): Transaction[] {
  let at = 0
  const known = new Set<string>()
  const change = (): DataRecord => {
    at++
    const id = `order-${choices.pick(2)}-of-them`
    const secret = choices.pick(4) === 1 ? {} : { note: `secret ${at}`, name: `secret ${at}` }
    switch (choices.pick(3)) {
      case 0:
        return customer(at, { name: "secret", email: `secret-${at}`, ...secret })
      case 1:
        if (!known.has(id)) break
        known.add(`shipment of ${id}`)
        return shipment(at, id, { tracking: `secret ${at}` })
    }
    known.add(id)
    return order(at, id, secret)
  }
  const one = (records: DataRecord[]): Transaction => transaction(++at, records)
  const before = Array.from({ length: 1 + choices.pick(4) }, () =>
    one(Array.from({ length: 1 + choices.pick(3) }, change)),
  )
  const erasing = [...known].map((name) =>
    name.startsWith("shipment of ")
      ? shipment(++at, name.slice("shipment of ".length), { tracking: null })
      : order(++at, name, { note: null }),
  )
  const erasure = one([...erasing, customer(++at, erased)])
  const after = Array.from({ length: choices.pick(3) }, () => one([order(++at, "order-0-of-them", {})]))
  return numbered([...before, erasure, ...after])
}

/** Rows of the read models in which something secret is. */
async function secretRows(): Promise<string[]> {
  const { rows } = await generation.admin.query<{ row: string }>(
    tables
      .map(
        (table) =>
          `select '${table} ' || ${table === "shipments" ? "order_id" : "id"} as row
           from ${generation.schema}.${table} t where to_jsonb(t)::text like '%secret%'`,
      )
      .join(" union all "),
  )
  return rows.map(({ row }) => row).sort()
}

/** Entries that hold something secret, by state. */
async function secretEntries(): Promise<string[]> {
  const { rows } = await generation.admin.query<{ entry: string }>(
    `select state || ' ' || table_name || ' ' || coalesce(row_key[1], '?') as entry from cdc.dead_letters
     where position('secret'::bytea in record_value) > 0 order by 1`,
  )
  return rows.map(({ entry }) => entry)
}

async function isKnownErased(): Promise<boolean> {
  const { rowCount } = await generation.admin.query(
    `select from ${generation.schema}.customers where erased_at is not null`,
  )
  return rowCount === 1
}

/** By offset, with what is left of it. */
async function entries(): Promise<string[]> {
  const { rows } = await generation.admin.query<{ entry: string }>(
    `select state || case when record_value is null then ' without bytes' else '' end as entry
     from cdc.dead_letters order by kafka_offset`,
  )
  return rows.map(({ entry }) => entry)
}

async function parkedIds(): Promise<bigint[]> {
  const { rows } = await generation.admin.query<{ id: string }>(
    "select id::text from cdc.dead_letters where state = 'parked' order by id",
  )
  return rows.map(({ id }) => BigInt(id))
}

test("no redrive brings back what the read side knows to be erased", async () => {
  let tried = 0
  await fc.assert(
    fc.asyncProperty(tapes(300), async (tape) => {
      const choices = choicesFrom(tape)
      const history = writeLife(choices)
      await parked.refuse(null)
      await parked.empty()
      const refusal = `kafka_offset % ${2 + choices.pick(3)} = ${choices.pick(2)}`
      for (const [index, one] of history.entries()) {
        const unreadable: NonNullable<Step["unreadable"]>[number][] = []
        for (const record of one.records) {
          if (choices.pick(4) === 1) unreadable.push({ record, isKeyKnown: choices.pick(4) !== 1 })
        }
        if (choices.pick(2) === 1) await parked.refuse(refusal)
        await parked.apply({ transactions: [one], unreadable, isStaged: choices.pick(4) === 1 })
        await parked.refuse(null)
        if (index > 0 && choices.pick(4) === 1) await parked.redriveSome(() => choices.pick(2) === 1)
      }
      await parked.settle()
      for (let round = 0; round < 3; round++) {
        const ids = await parkedIds()
        while (ids.length > 0) {
          const [id] = ids.splice(choices.pick(ids.length), 1)
          const wasErased = await isKnownErased()
          const before = await secretRows()
          await parked.redriveOne(id ?? 0n)
          tried++
          if (!wasErased) continue
          const after = await secretRows()
          expect(before).toEqual(expect.arrayContaining(after))
        }
      }
      if (!(await isKnownErased())) return
      // What still holds something lacks a change that is parked, and says so.
      const left = await parkedIds()
      if (left.length === 0) expect([await secretRows(), await secretEntries()]).toEqual([[], []])
    }),
    { ...propertyRuns("erased and redriven", 25), endOnFailure: true },
  )
  console.info(`${tried} redrives`)
  expect(tried).toBeGreaterThan(20)
})

/** An order of which the read side has nothing: the change that made it is refused, and so may be the erasing one. */
async function applyUnknownOrder(erasing: "refused" | "unreadable"): Promise<void> {
  const id = "order-0-of-them"
  const history = numbered([
    transaction(100, [customer(1, { name: "secret", email: "secret" })]),
    transaction(200, [order(110, id, { note: "secret" }), shipment(120, id, { tracking: "secret" })]),
    transaction(300, [
      order(210, id, { note: null }),
      shipment(220, id, { tracking: null }),
      customer(230, erased),
    ]),
  ])
  const [first, made, erasure] = history
  if (!first || !made || !erasure) throw new Error("the history is empty")
  await parked.refuse(null)
  await parked.empty()
  await parked.refuse("kafka_offset between 2 and 5")
  await parked.apply({ transactions: [first, made] })
  const unreadable = erasure.records.slice(0, 2).map((record) => ({ record, isKeyKnown: false }))
  await parked.apply({ transactions: [erasure], ...(erasing === "unreadable" ? { unreadable } : {}) })
  await parked.refuse(null)
  expect(await isKnownErased()).toBe(true)
}

test("changes of a row that no read model has are forgotten with those of whom they tell", async () => {
  await applyUnknownOrder("refused")
  expect(await entries()).toEqual(["erased without bytes", "erased without bytes", "parked", "parked"])
  expect(await parked.redriveAll()).toEqual([])
  expect([await secretRows(), await secretEntries()]).toEqual([[], []])
})

test("a change is refused while the one that removed its data cannot be read", async () => {
  await applyUnknownOrder("unreadable")
  const [made] = await parkedIds()
  expect(await parked.redriveOne(made ?? 0n)).toMatchObject({ code: "erased-since" })
  expect(await secretRows()).toEqual([])
})
