// Topics are read in any order: items before their order, a payment before its order, the delete of a parent before
// those of its rows. As long as each partition keeps its own, the read models end as the source did, and no reader
// between two applies sees part of a transaction.
import fc from "fast-check"
import { expect, test } from "vitest"
import { createAssembler } from "../../../../query/cdc/assemble/assemble.ts"
import { type DataRecord, partitionKey, type Transaction } from "../../../../query/cdc/vocabulary/change.ts"
import type { Lsn } from "../../../../query/cdc/vocabulary/lsn.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { type Choices, choicesFrom, propertyRuns, tapes } from "../../../support/properties.ts"
import { givenGeneration, remove, tableOf, transaction, upsert } from "../given/generation.ts"
import { createOrdersAtWork } from "../given/orders-at-work.ts"
import { begin, end, lsn } from "../given/records.ts"

const orders = tableOf(orderProjections, "orders")
const items = tableOf(orderProjections, "order_items")
const payments = tableOf(orderProjections, "payments")

const generation = givenGeneration("interleavings", orderProjections)

/** Records that are still to be read, by partition. */
type Partitions = Map<string, DataRecord[]>

/** What the connector would have written: rows by partition, each naming the transaction before its own. */
function spread(history: readonly Transaction[]): Partitions {
  const partitions: Partitions = new Map()
  let previousCommitLsn: Lsn = lsn(0)
  for (const { xid, commitLsn, records } of history) {
    for (const record of records) {
      const partition = partitionKey(record.origin.topic, String(record.change.key[0]).length % 2)
      const queue = partitions.get(partition) ?? []
      partitions.set(partition, queue)
      queue.push({ ...record, xid, previousCommitLsn })
    }
    previousCommitLsn = commitLsn
  }
  return partitions
}

/** Reads everything in an order of its own, and applies whenever it likes. */
async function readAndApply(
  history: readonly Transaction[],
  choices: Choices,
  afterApply: (released: readonly Transaction[]) => Promise<void>,
): Promise<void> {
  const assembler = createAssembler({
    lastEnd: lsn(0),
    baseLsn: lsn(0),
    tables: new Set(orderProjections.tables.map(({ name }) => `public.${name}`)),
  })
  const partitions = [...spread(history).values()]
  const log = history.flatMap((one) => [
    begin(Number(one.xid)),
    end(Number(one.xid), Number(one.commitLsn), countsOf(one)),
  ])
  while (log.length > 0 || partitions.some((queue) => queue.length > 0)) {
    const queues = partitions.filter((queue) => queue.length > 0)
    const queue = queues[choices.pick(queues.length + 1)]
    const record = queue?.shift()
    const entry = queue ? undefined : log.shift()
    if (record) assembler.addRecord(record)
    if (entry) assembler.addEntry(entry)
    const isLast = log.length === 0 && partitions.every((queue) => queue.length === 0)
    if (choices.pick(3) > 0 && !isLast) continue
    const released: Transaction[] = []
    for (let next = assembler.next(); next.state === "released"; next = assembler.next()) {
      released.push(next.transaction)
    }
    if (released.length === 0) continue
    await generation.apply(released)
    await afterApply(released)
  }
}

function countsOf({ records }: Transaction): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { change } of records)
    counts[`public.${change.table}`] = (counts[`public.${change.table}`] ?? 0) + 1
  return counts
}

/** What readers see: living rows, each as text in the order of its key. */
async function visibleRows(): Promise<Record<string, string[]>> {
  const visible: Record<string, string[]> = {}
  for (const { name, key, columns } of [orders, items, payments]) {
    const list = [...key, ...columns].map((column) => column.name).join(", ")
    const { rows } = await generation.admin.query(
      `select to_jsonb(row)::text as row from (select ${list} from ${generation.schema}.${name}
       where not deleted) row order by 1`,
    )
    visible[name] = rows.map(({ row }) => row)
  }
  return visible
}

/** The same rows from the transactions up to a position, applied one by one and in order. */
async function rowsAfter(history: readonly Transaction[]): Promise<Record<string, string[]>> {
  await generation.empty()
  for (const one of history) await generation.apply([one])
  return await visibleRows()
}

test("any order of reading that keeps partitions in theirs ends as the source did, one transaction at a time", async () => {
  await fc.assert(
    fc.asyncProperty(tapes(160), async (tape) => {
      const choices = choicesFrom(tape)
      const work = createOrdersAtWork(choices)
      const history = Array.from({ length: 4 + choices.pick(5) }, () => work.next())
      const seen: { upTo: number; rows: Record<string, string[]> }[] = []
      let upTo = 0
      await generation.empty()
      await readAndApply(history, choices, async (released) => {
        upTo += released.length
        seen.push({ upTo, rows: await visibleRows() })
      })
      expect(upTo).toBe(history.length)
      const last = await visibleRows()
      expect(last.orders).toHaveLength(work.rows().orders.length)
      expect(last.order_items).toHaveLength(work.rows().order_items.length)
      expect(last.payments).toHaveLength(work.rows().payments.length)
      for (const { upTo: count, rows } of seen) expect(rows).toEqual(await rowsAfter(history.slice(0, count)))
    }),
    propertyRuns("interleavings", 8),
  )
})

test("items and a payment read before their order, and a parent's delete before its rows'", async () => {
  const id = "o1"
  const made = transaction(100, [
    upsert(orders, 1, {
      id,
      customer_id: "c1",
      status: "draft",
      currency: "USD",
      created_at: "2025-01-01T00:00:00Z",
    }),
    upsert(items, 2, { order_id: id, line: 1, quantity: 2 }),
    upsert(payments, 3, { order_id: id, payment: 1, status: "captured" }),
  ])
  const gone = transaction(200, [
    remove(orders, 101, id),
    remove(items, 102, id, 1),
    remove(payments, 103, id, 1),
  ])
  const history = [made, gone]
  for (const order of ["order_items", "payments", "orders"]) {
    await generation.empty()
    const partitions = spread(history)
    const first = [...partitions.entries()]
      .filter(([name]) => name.includes(`.${order}/`))
      .flatMap(([, rows]) => rows)
    const rest = [...partitions.values()].flat().filter((record) => !first.includes(record))
    const assembler = createAssembler({
      lastEnd: lsn(0),
      baseLsn: lsn(0),
      tables: new Set(["public.orders", "public.order_items", "public.payments"]),
    })
    for (const record of [...first, ...rest]) assembler.addRecord(record)
    for (const [index, one] of history.entries()) {
      assembler.addEntry(begin(Number(one.xid)))
      assembler.addEntry(end(Number(one.xid), Number(one.commitLsn), countsOf(one)))
      const next = assembler.next()
      if (next.state !== "released") return expect.unreachable(`${order}: ${next.state}`)
      await generation.apply([next.transaction])
      const lengths = Object.values(await visibleRows()).map((rows) => rows.length)
      expect(lengths, order).toEqual(index === 0 ? [1, 1, 1] : [0, 0, 0])
    }
  }
})
