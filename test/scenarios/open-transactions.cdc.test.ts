// SCENARIOS rows 4 and 5: transactions that overlap, with each other and with the snapshot of a base load. What was
// written first is often committed last, so neither the LSNs of rows nor the time of a change say what a reader may see.
import { setTimeout as sleep } from "node:timers/promises"
import type pg from "pg"
import { expect, test } from "vitest"
import { kept, startTrial } from "../chaos/given/trial.ts"
import { rebuild } from "../support/rebuild.ts"
import { givenSystem } from "../support/system.ts"
import { waitFor } from "../support/wait.ts"

const system = givenSystem("open_transactions")

const createOrder = async (id: string): Promise<void> => {
  await transaction(async (client) => {
    await client.query(
      `insert into orders (id, customer_id, status, currency, version) values ($1, 'customer-125', 'draft', 'USD', 0)`,
      [id],
    )
    await addItem(client, id, 1)
    await settle(client, id)
  })
}

const addItem = (client: pg.ClientBase, order: string, line: number) =>
  client.query(
    `insert into order_items (order_id, line, product_id, quantity, unit_price_minor) values ($1, $2, 'product-456', 1, 2999)`,
    [order, line],
  )

/** Brings the header in line with the items as they are now, and adds the entry of the history. */
const settle = (client: pg.ClientBase, order: string) =>
  client.query(
    `with settled as (
       update orders o set version = version + 1, subtotal_minor = s.total, total_minor = s.total
       from (select coalesce(sum(quantity * unit_price_minor), 0)::bigint as total
             from order_items where order_id = $1) s
       where o.id = $1 returning o.id, o.version)
     insert into order_events (order_id, version, type) select id, version, 'ItemChanged' from settled`,
    [order],
  )

async function transaction<Result>(work: (client: pg.ClientBase) => Promise<Result>): Promise<Result> {
  const client = await system.source.connect()
  try {
    await client.query("begin")
    const result = await work(client)
    await client.query("commit")
    return result
  } catch (error) {
    await client.query("rollback")
    throw error
  } finally {
    client.release()
  }
}

test("shows the rows of one order in the order of the commits, not of the writes", async () => {
  const trial = await startTrial(system, { customers: 1 })
  for (let round = 0; round < 15; round++) {
    const order = `woven-${round}`
    await createOrder(order)
    trial.observer.watch(order)
    const removes = trial.random.chance(0.5)
    await transaction(async (first) => {
      await addItem(first, order, 2)
      await transaction(async (second) => {
        await second.query("update order_items set quantity = 7 where order_id = $1 and line = 1", [order])
        await settle(second, order)
      })
      // Others commit meanwhile, or not.
      await sleep(trial.random.below(40))
      await first.query(
        removes
          ? "delete from order_items where order_id = $1 and line = 1"
          : "update order_items set quantity = quantity + 1 where order_id = $1 and line = 1",
        [order],
      )
      await settle(first, order)
    })
  }
  expect(await trial.conclude()).toEqual(kept)
})

type Span = { firstWrite: bigint; beforeCommit: bigint; afterCommit: bigint }

test("loads a base while transactions are open that began before its snapshot and commit after it", async () => {
  const trial = await startTrial(system, { customers: 1 })
  const spans: Span[] = []
  let running = true
  const openTransactions = Array.from({ length: 6 }, async (_, writer) => {
    const choose = trial.random.fork(`open ${writer}`)
    for (let n = 0; running; n++) {
      const order = `open-${writer}-${n}`
      const span = await transaction(async (client) => {
        await client.query(
          `insert into orders (id, customer_id, status, currency, version)
           values ($1, 'customer-124', 'draft', 'USD', 0)`,
          [order],
        )
        const firstWrite = await walPosition(client)
        // Stays open for as long as the snapshot of a load takes, or not.
        await sleep(50 + choose.below(300))
        await addItem(client, order, 1)
        await settle(client, order)
        return { firstWrite, beforeCommit: await walPosition(client) }
      })
      spans.push({ ...span, afterCommit: await walPosition(system.source) })
    }
  })
  const bases: bigint[] = []
  try {
    for (let load = 0; load < 3; load++) {
      const ended = spans.length
      await waitFor(() => spans.length > ended, "a transaction has ended before the load")
      bases.push(await rebuild(system))
    }
    const last = bases.at(-1) ?? 0n
    await waitFor(() => spans.some(({ firstWrite }) => firstWrite > last), "one began after the last load")
  } finally {
    running = false
    await Promise.all(openTransactions)
  }
  const count = (test: (span: Span, base: bigint) => boolean): number =>
    bases.reduce((sum, base) => sum + spans.filter((span) => test(span, base)).length, 0)
  const before = count((span, base) => span.afterCommit < base)
  const across = count((span, base) => span.firstWrite < base && span.beforeCommit > base)
  const after = count((span, base) => span.firstWrite > base)
  console.log({ loads: bases.length, before, across, after })
  expect(Math.min(before, across, after)).toBeGreaterThan(0)
  expect(await trial.conclude()).toEqual(kept)
})

const walPosition = async (client: pg.ClientBase | pg.Pool): Promise<bigint> => {
  const { rows } = await client.query<{ lsn: string }>(
    "select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::text as lsn",
  )
  return BigInt(rows[0]?.lsn ?? 0)
}
