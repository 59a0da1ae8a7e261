// What the writers do in their transactions: rows of orders and customers made, changed, moved, renamed and deleted, so
// that an order's total stays the sum of its items, and its history has as many entries as its version says.
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { setTimeout as sleep } from "node:timers/promises"
import type pg from "pg"
import copyStreams from "pg-copy-streams"
import type { Random } from "../../support/random.ts"

export type WriterTotals = {
  transactions: number
  changes: number
  big: number
  copies: number
  moves: number
  deletes: number
  conflicts: number
}

const ordersPerWriter = 40
const sharedOrders = 12
const longNote = "x".repeat(3_000)

/** One transaction's changes, counted in `totals` too. @returns how many there are. */
export async function changeSomething(
  client: pg.PoolClient,
  writer: number,
  choose: Random,
  newName: () => string,
  totals: WriterTotals,
): Promise<number> {
  const orders = pickOrders(writer, choose)
  let changes = await createMissing(client, orders, choose)
  const action = choose.below(100)
  if (action < 8) changes += await copyItems(client, orders.slice(0, 4), choose, totals)
  else if (action < 30) changes += await reworkItems(client, orders, choose, true)
  else if (action < 70) changes += await reworkItems(client, orders.slice(0, 3), choose, false)
  else if (action < 80) changes += await moveItems(client, orders, choose, totals)
  else if (action < 85) changes += await renameOrder(client, orders[0] ?? "", newName(), totals)
  else if (action < 92) changes += await deleteOrder(client, orders[0] ?? "", totals)
  else changes += await changeCustomer(client, choose)
  if (choose.chance(0.15)) await rolledBackSavepoint(client, orders)
  return changes
}

function pickOrders(writer: number, choose: Random): string[] {
  const shared = choose.chance(0.2)
  const count = 1 + choose.below(shared ? 3 : 12)
  const names = new Set<string>()
  for (let n = 0; n < count; n++) {
    names.add(
      shared ? `shared-${choose.below(sharedOrders)}` : `own-${writer}-${choose.below(ordersPerWriter)}`,
    )
  }
  return [...names].sort()
}

/** Creates the orders that are not there (never made, deleted or renamed), and locks all of them in one order. */
async function createMissing(
  client: pg.ClientBase,
  orders: readonly string[],
  choose: Random,
): Promise<number> {
  const created = await client.query(
    `insert into orders (id, customer_id, status, currency, note, subtotal_minor, total_minor, version, created_at)
     select id, $2, 'draft', 'USD', $3, 0, 0, 0, now() - make_interval(days => $4)
     from unnest($1::text[]) id order by id on conflict do nothing`,
    [
      orders,
      choose.pick(["customer-123", "customer-124", "customer-125"]),
      choose.chance(0.5) ? longNote : null,
      choose.below(400),
    ],
  )
  await client.query("select 1 from orders where id = any($1) order by id for update", [orders])
  return (created.rowCount ?? 0) * 2 + (await settle(client, orders, "OrderUpdated"))
}

/** Brings the header in line with the items and adds one history entry per order. */
async function settle(client: pg.ClientBase, orders: readonly string[], type: string): Promise<number> {
  const updated = await client.query(
    `with settled as (
       update orders o set version = version + 1, updated_at = clock_timestamp(),
         subtotal_minor = s.total, total_minor = s.total
       from (select q.id, coalesce(sum(i.quantity * i.unit_price_minor), 0)::bigint as total
             from unnest($1::text[]) q (id) left join order_items i on i.order_id = q.id group by q.id) s
       where o.id = s.id returning o.id, o.version)
     insert into order_events (order_id, version, type) select id, version, $2 from settled`,
    [orders, type],
  )
  return (updated.rowCount ?? 0) * 2
}

async function reworkItems(
  client: pg.ClientBase,
  orders: readonly string[],
  choose: Random,
  big: boolean,
): Promise<number> {
  const inserted = await client.query(
    `insert into order_items (order_id, line, product_id, quantity, unit_price_minor)
     select q.id, m.line + g, 'product-456', 1 + (g % 7), 2999
     from unnest($1::text[]) q (id),
          lateral (select coalesce(max(line), 0) as line from order_items where order_id = q.id) m,
          generate_series(1, $2) g`,
    [orders, big ? 10 + choose.below(80) : 1 + choose.below(3)],
  )
  if (big) await sleep(choose.below(60))
  const updated = await client.query(
    "update order_items set quantity = quantity % 9 + 1 where order_id = any($1) and line % 3 = $2",
    [orders, choose.below(3)],
  )
  const deleted = await client.query(
    `delete from order_items i where order_id = any($1)
     and line <= (select max(line) - $2 from order_items m where m.order_id = i.order_id)`,
    [orders, 40 + choose.below(60)],
  )
  const status = await client.query("update orders set status = $2 where id = any($1)", [
    orders,
    choose.pick(["draft", "draft", "confirmed", "cancelled"]),
  ])
  const rows = [inserted, updated, deleted, status].reduce((sum, result) => sum + (result.rowCount ?? 0), 0)
  return rows + (await settle(client, orders, "ItemChanged"))
}

/** One COPY per order: all its rows share one LSN. */
async function copyItems(
  client: pg.PoolClient,
  orders: readonly string[],
  choose: Random,
  totals: WriterTotals,
): Promise<number> {
  const rows = 50 + choose.below(450)
  for (const order of orders) {
    await client.query("delete from order_items where order_id = $1", [order])
    const lines = Array.from(
      { length: rows },
      (_, n) => `${order}\t${n + 1}\tproduct-457\t${1 + (n % 5)}\t4950\n`,
    )
    const stream = client.query(
      copyStreams.from(
        "copy order_items (order_id, line, product_id, quantity, unit_price_minor) from stdin",
      ),
    )
    await pipeline(Readable.from([lines.join("")]), stream)
  }
  totals.copies += orders.length
  return rows * orders.length + (await settle(client, orders, "ItemAdded"))
}

/** Moves items to another order and line: primary key changes across partitions. */
async function moveItems(
  client: pg.ClientBase,
  orders: readonly string[],
  choose: Random,
  totals: WriterTotals,
): Promise<number> {
  const [from, to] = orders
  if (!from || !to) return 0
  const moved = await client.query(
    `update order_items i set order_id = $2, line = n.line
     from (select order_id, line as old, (select coalesce(max(line), 0) from order_items where order_id = $2)
                  + row_number() over (order by line) as line
           from order_items where order_id = $1 order by line desc limit $3) n
     where i.order_id = n.order_id and i.line = n.old`,
    [from, to, 1 + choose.below(5)],
  )
  totals.moves += moved.rowCount ?? 0
  return 2 * (moved.rowCount ?? 0) + (await settle(client, [from, to], "ItemChanged"))
}

/** Renames an order with its items and its history; a long note is not sent again, only its absence. */
async function renameOrder(
  client: pg.ClientBase,
  order: string,
  name: string,
  totals: WriterTotals,
): Promise<number> {
  let rows = 0
  for (const [table, column] of [
    ["orders", "id"],
    ["order_items", "order_id"],
    ["order_events", "order_id"],
  ] as const) {
    const moved = await client.query(`update ${table} set ${column} = $2 where ${column} = $1`, [order, name])
    rows += 2 * (moved.rowCount ?? 0)
  }
  totals.moves += rows / 2
  return rows
}

async function deleteOrder(client: pg.ClientBase, order: string, totals: WriterTotals): Promise<number> {
  let rows = 0
  for (const statement of [
    "delete from orders where id = $1",
    "delete from order_events where order_id = $1",
    "delete from order_items where order_id = $1",
  ]) {
    rows += (await client.query(statement, [order])).rowCount ?? 0
  }
  totals.deletes++
  return rows
}

async function changeCustomer(client: pg.ClientBase, choose: Random): Promise<number> {
  const id = choose.pick(["customer-123", "customer-124", "customer-125"])
  const changed = await client.query(
    "update customers set version = version + 1, name = $2, phone = $3 where id = $1",
    [id, `Name ${choose.below(1_000)}`, longNote],
  )
  return changed.rowCount ?? 0
}

async function rolledBackSavepoint(client: pg.ClientBase, orders: readonly string[]): Promise<void> {
  await client.query("savepoint tried")
  await client.query("update orders set note = 'never committed', total_minor = -1 where id = any($1)", [
    orders,
  ])
  await client.query("rollback to savepoint tried")
}
