// Cancels confirmed orders whose stock was kept long enough without payment. Safe with any number of instances: an order
// is looked at again under its lock, and one that another instance has locked is passed over. An order with a payment
// under way is left alone.
import { type Kysely, sql, type Transaction } from "kysely"
import type { Logger } from "pino"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type OrderId, orderId } from "../vocabulary/ids.ts"
import { changeOrder } from "./handle.ts"

/** The `reason` of such a cancellation. */
const reason = "reservation-expired"
const mostAtOnce = 100

/** Returns how many were cancelled. One that fails is logged and stays for the next round. */
export async function expireReservations(options: {
  db: Kysely<CommandDatabase>
  now: () => Date
  logger: Logger
  stopping: AbortSignal
}): Promise<number> {
  const { db, now, logger, stopping } = options
  let expired = 0
  for (const { id } of await dueOrders(db, now()).limit(mostAtOnce).execute()) {
    if (stopping.aborted) break
    try {
      const isDone = await db.transaction().execute((trx) => expire(trx, orderId.parse(id), now()))
      if (isDone) expired++
    } catch (error) {
      logger.warn({ err: error, order: id }, "an order whose reservation is over could not be cancelled")
    }
  }
  return expired
}

async function expire(trx: Transaction<CommandDatabase>, id: OrderId, now: Date): Promise<boolean> {
  const due = await dueOrders(trx, now).where("id", "=", id).forUpdate().skipLocked().executeTakeFirst()
  if (!due) return false
  const change = { orderId: id, command: { type: "CancelOrder" as const, reason }, ifMatch: undefined }
  const origin = { requestId: reason, traceparent: null }
  const result = await changeOrder(trx, change, { now, origin, reservationMs: 0 })
  if (!result.ok) throw new Error(`${id} cannot be cancelled: ${result.rejection.detail}`)
  return true
}

function dueOrders(db: Kysely<CommandDatabase>, now: Date) {
  return db
    .selectFrom("orders")
    .select("id")
    .where("status", "=", "confirmed")
    .where("reserved_until", "<=", now)
    .where(
      sql<boolean>`not exists (select from payments where payments.order_id = orders.id
        and payments.status in ('pending', 'unknown', 'authorized'))`,
    )
    .orderBy("reserved_until")
}
