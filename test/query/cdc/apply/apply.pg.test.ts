// An apply is one Postgres transaction under the lease: everything of it is stored or nothing, wherever it is cut
// short, and a projector that lost the lease or its place stores nothing.
import type { KyselyPlugin } from "kysely"
import { beforeEach, expect, test } from "vitest"
import { type ApplyStep, applyTransactions } from "../../../../query/cdc/apply/apply.ts"
import { projectorConnectionName } from "../../../../query/cdc/lease/lease.ts"
import { readProgress } from "../../../../query/cdc/lease/progress.ts"
import { classifyError } from "../../../../query/cdc/vocabulary/errors.ts"
import { positionChannel } from "../../../../query/cdc/vocabulary/topics.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import { givenGeneration, holder, tableOf, transaction, upsert, withoutCache } from "../given/generation.ts"
import { lsn } from "../given/records.ts"

const orders = tableOf(orderProjections, "orders")
const items = tableOf(orderProjections, "order_items")
const customers = tableOf(orderProjections, "customers")

const generation = givenGeneration("apply", orderProjections)
beforeEach(() => generation.empty())

const order = { customer_id: "c1", status: "draft", currency: "USD", created_at: "2025-01-01T00:00:00Z" }

/** A step of two transactions over three tables, from position 0 to 200. */
const step: ApplyStep = {
  expected: lsn(0),
  transactions: [
    transaction(100, [
      upsert(customers, 1, { id: "c1", name: "C" }),
      upsert(orders, 2, { id: "o1", ...order, subtotal_minor: 10n }),
      upsert(items, 3, { order_id: "o1", line: 1, quantity: 2 }),
    ]),
    transaction(200, [upsert(orders, 101, { id: "o1", ...order, status: "confirmed", subtotal_minor: 20n })]),
  ],
  resumeOffsets: new Map([
    ["p.public.orders/3", 17n],
    ["p.public.order_items/0", 4n],
  ]),
  heartbeatAt: "2025-01-01T00:00:00.123456Z",
}

/** Everything that an apply may change. */
async function everything(): Promise<Record<string, unknown[]>> {
  const read = ["customers", "orders", "order_items", "sales_by_quarter_hour", "customer_totals"]
  const tables = read.map((name) => `${generation.schema}.${name}`)
  const own = ["cdc.progress", "cdc.resume_offsets", "cdc.applied_xids", "cdc.sources"]
  const state: Record<string, unknown[]> = {}
  for (const table of [...tables, ...own]) {
    state[table] = (
      await generation.admin.query(`select to_jsonb(t) as row from ${table} t order by t::text`)
    ).rows
  }
  return state
}

test("rows, sums, resume offsets, xids and the position move together", async () => {
  const applied = await applyTransactions(generation.target, step)
  expect(applied).toMatchObject({ rows: 4, stale: 0 })
  const progress = await readProgress(generation.db, generation.target.ref)
  expect(progress).toMatchObject({ position: 200n, lastEnd: 200n, lastEndOffset: 200n })
  expect(progress?.resumeOffsets).toEqual(step.resumeOffsets)
  const { rows } = await generation.admin.query(`
    select p.transactions::int, p.changes::int, to_json(p.heartbeat_at at time zone 'UTC')::text as heartbeat_at,
           (select array_agg(xid::int order by xid) from cdc.applied_xids) as xids,
           (select status from ${generation.schema}.orders) as status,
           (select gross_minor::int from ${generation.schema}.customer_totals) as gross
    from cdc.progress p`)
  expect(rows).toEqual([
    {
      transactions: 2,
      changes: 4,
      heartbeat_at: '"2025-01-01T00:00:00.123456"',
      xids: [100, 200],
      status: "confirmed",
      gross: 20,
    },
  ])
})

test("killed after any of its statements it has stored nothing, and then it is applied as if nothing had been", async () => {
  const before = await everything()
  let killed = 0
  for (let after = 1; ; after++) {
    const db = generation.db.withPlugin(killAfter(after))
    const failure = await applyTransactions({ ...generation.target, db }, step).then(
      () => null,
      (error: unknown) => classifyError(error),
    )
    if (!failure) break
    expect(failure).toMatchObject({ disposition: "retry", code: "dependency-down" })
    expect(await everything()).toEqual(before)
    killed++
  }
  expect(killed).toBeGreaterThan(10)
  expect(await readProgress(generation.db, generation.target.ref)).toMatchObject({ position: 200n })
})

test("killed as the last thing before its commit it has stored nothing", async () => {
  const before = await everything()
  const cacheFence = {
    ...withoutCache,
    fence: async () => {
      await killProjector()
      return "fenced" as const
    },
  }
  await expect(applyTransactions({ ...generation.target, cacheFence }, step)).rejects.toThrow()
  expect(await everything()).toEqual(before)
})

test("a statement that is refused takes the whole step with it", async () => {
  const before = await everything()
  const wrong = upsert(orders, 201, { id: "o2", ...order, created_at: "not a time" })
  const refused = { ...step, transactions: [...step.transactions, transaction(300, [wrong])] }
  const failure = await applyTransactions(generation.target, refused).catch(classifyError)
  expect(failure).toMatchObject({ disposition: "dead-letter", code: "bad-row" })
  expect(await everything()).toEqual(before)
})

test("a projector whose lease was taken over stores nothing", async () => {
  await generation.admin.query("update cdc.progress set lease_epoch = lease_epoch + 1")
  const before = await everything()
  await expect(applyTransactions(generation.target, step)).rejects.toMatchObject({
    code: "apply-conflict",
    disposition: "retry",
  })
  expect(await everything()).toEqual(before)
})

test("a step is applied once: from another position than it expects nothing is stored", async () => {
  await applyTransactions(generation.target, step)
  const before = await everything()
  await expect(applyTransactions(generation.target, step)).rejects.toMatchObject({ code: "apply-conflict" })
  expect(await everything()).toEqual(before)
})

test("a takeover while an apply is open waits for nobody and lets nothing of it through", async () => {
  const before = await everything()
  let takenOver: Promise<unknown> = Promise.resolve()
  const cacheFence = {
    ...withoutCache,
    fence: async () => {
      takenOver = killProjector().then(() =>
        generation.admin.query("update cdc.progress set lease_epoch = lease_epoch + 1"),
      )
      await takenOver
      return "fenced" as const
    },
  }
  await expect(applyTransactions({ ...generation.target, cacheFence }, step)).rejects.toThrow()
  await takenOver
  const { rows } = await generation.admin.query("select position::int, lease_epoch::int from cdc.progress")
  expect(rows).toEqual([{ position: 0, lease_epoch: Number(generation.target.leaseEpoch) + 1 }])
  await generation.empty()
  expect(await everything()).toEqual({ ...before, "cdc.progress": expect.any(Array) })
})

test("a transaction without rows to mirror moves the position and nothing else", async () => {
  await applyTransactions(generation.target, {
    ...step,
    transactions: [transaction(50, [])],
    heartbeatAt: null,
  })
  expect(await readProgress(generation.db, generation.target.ref)).toMatchObject({ position: 50n })
})

test("waiting readers are woken by the commit, with the source's name", async () => {
  const client = await generation.admin.connect()
  const woken = new Promise<string | undefined>((resolve) => {
    client.on("notification", ({ payload }) => resolve(payload))
  })
  await client.query(`listen ${positionChannel}`)
  await applyTransactions(generation.target, step)
  expect(await woken).toBe(generation.target.ref.source)
  client.release(true)
})

test("the cache is fenced with the new position and every key that the rows and sums touch", async () => {
  const fenced: unknown[] = []
  const cacheFence = {
    ...withoutCache,
    fence: async (position: bigint, keys: readonly string[] | "all") => {
      fenced.push(position, keys === "all" ? keys : keys.toSorted())
      return "fenced" as const
    },
  }
  await applyTransactions({ ...generation.target, cacheFence }, step)
  expect(fenced).toEqual([200n, ["customer:c1", "order:o1"]])
})

test("a cache that cannot be fenced raises the cache epoch in the same transaction", async () => {
  const cacheFence = { ...withoutCache, fence: async () => "raise-epoch" as const }
  const { cacheEpoch } = await applyTransactions({ ...generation.target, cacheFence }, step)
  const { rows } = await generation.admin.query("select cache_epoch from cdc.sources")
  expect(rows).toEqual([{ cache_epoch: String(cacheEpoch) }])
})

/** Ends the projector's backend when it has answered so many statements. */
function killAfter(statements: number): KyselyPlugin {
  let answered = 0
  return {
    transformQuery: ({ node }) => node,
    async transformResult({ result }) {
      if (++answered === statements) await killProjector()
      return result
    },
  }
}

const killProjector = () =>
  generation.admin.query(
    "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and application_name = $1 and state <> 'idle'",
    [projectorConnectionName(holder)],
  )
