// Erases a customer in one transaction: personal data leaves the customer's row, their orders with all that hangs on
// them, the reasons of their orders' events and the stored answers that speak of them. Rows, sums and histories stay.
// The customer's lock keeps new orders out, and the orders' locks keep other commands out. A command that committed
// before is seen by the erasure; a command that comes after sees the erasure.
import { sql, type Transaction } from "kysely"
import { z } from "zod"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { erasedDomain } from "../customers/bodies.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import type { CommandContext } from "../execute/origin.ts"
import { ownXid } from "../execute/own-xid.ts"
import type { CustomerId } from "../vocabulary/ids.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"

/** How many rows were cleared of a column, by table and column; answers are removed whole. */
export type Erased = {
  id: CustomerId
  version: number
  erasedAt: Date
  ordersTouched: number
  cleared: Record<string, number>
  xid: string
}

/** Most open orders that a refusal names. */
const mostNamed = 100

/** May be repeated: then it removes the data that has come in since, and the time of the first erasure stays. */
export async function eraseCustomer(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
  ifMatch: IfMatch | undefined,
  context: CommandContext,
): Promise<Result<Erased>> {
  const present = await trx
    .selectFrom("customers")
    .select(["version", "erased_at"])
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst()
  if (!present) return refuse("customer-not-found", "There is no such customer.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  await sql`select from orders where customer_id = ${id} order by id for update`.execute(trx)
  const refused = await refuseOpenOrders(trx, id)
  if (refused) return refused

  const { touched, ...cleared } = await clearOrders(trx, id, context)
  const { numDeletedRows } = await trx
    .deleteFrom("idempotency_keys")
    .where("customer_id", "=", id)
    .executeTakeFirst()
  const row = await clearCustomer(trx, id, context.now)
  return accept({
    id,
    version: row.version,
    erasedAt: row.erased_at ?? context.now,
    ordersTouched: touched,
    cleared: {
      "customers.email": Number(present.erased_at === null),
      "customers.name": Number(present.erased_at === null),
      "customers.phone": Number(row.had_phone),
      "customers.address": Number(row.had_address),
      ...cleared,
      idempotency_keys: Number(numDeletedRows),
    },
    xid: row.xid,
  })
}

async function refuseOpenOrders(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
): Promise<Refused | undefined> {
  const open = await trx
    .selectFrom("orders")
    .select(["id", "status", sql<bigint>`count(*) over ()`.as("all_open")])
    .where("customer_id", "=", id)
    .where("status", "not in", ["delivered", "cancelled"])
    .orderBy("id")
    .limit(mostNamed)
    .execute()
  if (open.length === 0) return undefined
  const count = Number(open[0]?.all_open ?? 0)
  return refuse(
    "customer-has-open-orders",
    `The customer has ${count} open ${count === 1 ? "order" : "orders"}. Deliver or cancel them first.`,
    { open_orders: count, orders: open.map(({ id, status }) => ({ id, status })) },
  )
}

const clearedCounts = z.object({
  touched: z.number(),
  "orders.shipping_address": z.number(),
  "orders.note": z.number(),
  "orders.cancel_reason": z.number(),
  "refunds.reason": z.number(),
  "shipments.tracking": z.number(),
  "order_events.reason": z.number(),
})

/** One statement: each order that holds something personal loses it, gets its next version and an event of that. */
async function clearOrders(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
  { now, origin }: CommandContext,
): Promise<z.infer<typeof clearedCounts>> {
  const { rows } = await sql`
    with held as (
      select o.id, array_remove(array[
        case when shipping_address is not null then 'orders.shipping_address' end,
        case when note is not null then 'orders.note' end,
        case when cancel_reason is not null then 'orders.cancel_reason' end,
        case when exists (select from refunds r where r.order_id = o.id and r.reason is not null)
          then 'refunds.reason' end,
        case when exists (select from shipments s where s.order_id = o.id and s.tracking is not null)
          then 'shipments.tracking' end,
        case when exists (select from order_events e where e.order_id = o.id and e.reason is not null)
          then 'order_events.reason' end], null) as columns
      from orders o where o.customer_id = ${id}
    ), touched as (
      select * from held where columns <> '{}'
    ), cleared_orders as (
      update orders o
      set shipping_address = null, note = null, cancel_reason = null, version = version + 1, updated_at = ${now}
      from touched where o.id = touched.id
      returning o.id, o.version, touched.columns
    ), cleared_refunds as (
      update refunds r set reason = null, updated_at = ${now}
      from touched where r.order_id = touched.id and r.reason is not null returning 1
    ), cleared_shipments as (
      update shipments s set tracking = null, updated_at = ${now}
      from touched where s.order_id = touched.id and s.tracking is not null returning 1
    ), cleared_events as (
      update order_events e set reason = null
      from touched where e.order_id = touched.id and e.reason is not null returning 1
    ), recorded as (
      insert into order_events (order_id, version, type, payload, request_id, traceparent, occurred_at)
      select id, version, 'PersonalDataErased', jsonb_build_object('columns', columns),
        ${origin.requestId}, ${origin.traceparent}, ${now}
      from cleared_orders
    )
    select json_build_object(
      'touched', count(*),
      'orders.shipping_address', count(*) filter (where 'orders.shipping_address' = any(columns)),
      'orders.note', count(*) filter (where 'orders.note' = any(columns)),
      'orders.cancel_reason', count(*) filter (where 'orders.cancel_reason' = any(columns)),
      'refunds.reason', (select count(*) from cleared_refunds),
      'shipments.tracking', (select count(*) from cleared_shipments),
      'order_events.reason', (select count(*) from cleared_events)
    ) as counts from cleared_orders`.execute(trx)
  return z.object({ counts: clearedCounts }).parse(rows[0]).counts
}

/** The row stays, because orders name it; its e-mail address must differ from every other one. */
async function clearCustomer(trx: Transaction<CommandDatabase>, id: CustomerId, now: Date) {
  return await trx
    .updateTable("customers as c")
    .from((from) =>
      from.selectFrom("customers").select(["id", "phone", "address"]).where("id", "=", id).as("before"),
    )
    .set({
      name: "Erased",
      email: `${id}@${erasedDomain}`,
      phone: null,
      address: null,
      version: sql<number>`c.version + 1`,
      updated_at: now,
      erased_at: sql<Date>`coalesce(c.erased_at, ${now})`,
    })
    .whereRef("c.id", "=", "before.id")
    .returning([
      "c.version",
      "c.erased_at",
      sql<boolean>`before.phone is not null`.as("had_phone"),
      sql<boolean>`before.address is not null`.as("had_address"),
      ownXid,
    ])
    .executeTakeFirstOrThrow()
}
