// The rows behind an order's fulfilment: payments, refunds, shipments, what its items have reserved and sent, and the
// stock that this takes. Written is what an event has changed, by comparing before and after.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import {
  type Fulfilment,
  nothingFulfilled,
  reservedOf,
  type Shipment,
  shippedOf,
} from "../aggregate/fulfilment.ts"
import type { Order } from "../aggregate/order.ts"
import { changeStock, type StockChange } from "./order-stock.ts"

type ItemRow = Pick<Selectable<CommandDatabase["order_items"]>, "line" | "reserved_quantity">

/** Reads it for an order that is locked. */
export async function loadFulfilment(
  trx: Transaction<CommandDatabase>,
  orderId: string,
  status: Order["status"],
  items: readonly ItemRow[],
): Promise<Fulfilment> {
  if (status === "draft") return nothingFulfilled
  const [payments, refunds, shipments, sent] = [
    await trx.selectFrom("payments").selectAll().where("order_id", "=", orderId).orderBy("payment").execute(),
    await trx.selectFrom("refunds").selectAll().where("order_id", "=", orderId).orderBy("refund").execute(),
    await trx
      .selectFrom("shipments")
      .selectAll()
      .where("order_id", "=", orderId)
      .orderBy("shipment")
      .execute(),
    await trx
      .selectFrom("shipment_items")
      .selectAll()
      .where("order_id", "=", orderId)
      .orderBy("line")
      .execute(),
  ]
  return {
    reserved: items
      .filter(({ reserved_quantity }) => reserved_quantity > 0)
      .map(({ line, reserved_quantity }) => ({ line, quantity: reserved_quantity })),
    payments: payments.map((row) => ({
      payment: row.payment,
      status: row.status,
      amountMinor: row.amount_minor,
      capturedMinor: row.captured_minor,
      refundedMinor: row.refunded_minor,
      provider: row.provider,
      reference: row.provider_reference,
      failure: row.failure,
    })),
    refunds: refunds.map((row) => ({
      refund: row.refund,
      payment: row.payment,
      status: row.status,
      amountMinor: row.amount_minor,
      reference: row.provider_reference,
      failure: row.failure,
    })),
    shipments: shipments.map((row) => ({
      shipment: row.shipment,
      carrier: row.carrier,
      tracking: row.tracking,
      items: sent
        .filter(({ shipment }) => shipment === row.shipment)
        .map(({ line, quantity }) => ({ line, quantity })),
      shippedAt: row.created_at,
      deliveredAt: row.delivered_at,
    })),
  }
}

/** Writes what is different. `refundReason` is for refunds that are new. */
export async function saveFulfilment(
  trx: Transaction<CommandDatabase>,
  before: Fulfilment,
  order: Order,
  refundReason: string | null,
): Promise<void> {
  const after = order.fulfilment
  if (after === before) return
  const at = order.updatedAt
  const kept = { order_id: order.id, created_at: at, updated_at: at }
  for (const { payment, status, amountMinor, ...rest } of after.payments) {
    if (
      before.payments.some(
        (one) => one.payment === payment && one.status === status && one.refundedMinor === rest.refundedMinor,
      )
    )
      continue
    const changing = {
      status,
      captured_minor: rest.capturedMinor,
      refunded_minor: rest.refundedMinor,
      provider_reference: rest.reference,
      failure: rest.failure,
      updated_at: at,
    }
    const row = {
      ...kept,
      payment,
      amount_minor: amountMinor,
      currency: order.currency,
      provider: rest.provider,
    }
    await trx
      .insertInto("payments")
      .values({ ...row, ...changing })
      .onConflict((conflict) => conflict.columns(["order_id", "payment"]).doUpdateSet(changing))
      .execute()
  }
  for (const { refund, payment, status, amountMinor, reference, failure } of after.refunds) {
    if (before.refunds.some((one) => one.refund === refund && one.status === status)) continue
    const changing = { status, provider_reference: reference, failure, updated_at: at }
    const row = { ...kept, refund, payment, amount_minor: amountMinor, currency: order.currency }
    await trx
      .insertInto("refunds")
      .values({ ...row, ...changing, reason: refundReason })
      .onConflict((conflict) => conflict.columns(["order_id", "refund"]).doUpdateSet(changing))
      .execute()
  }
  for (const shipment of after.shipments) {
    if (!before.shipments.includes(shipment)) await saveShipment(trx, order, shipment)
  }
  await saveItems(trx, before, order)
  await changeStock(trx, stockChanges(before, order), at)
}

async function saveShipment(
  trx: Transaction<CommandDatabase>,
  order: Order,
  { shipment, carrier, tracking, items, shippedAt, deliveredAt }: Shipment,
): Promise<void> {
  const place = { order_id: order.id, shipment }
  const changing = { delivered_at: deliveredAt, updated_at: order.updatedAt }
  await trx
    .insertInto("shipments")
    .values({ ...place, carrier, tracking, created_at: shippedAt, ...changing })
    .onConflict((conflict) => conflict.columns(["order_id", "shipment"]).doUpdateSet(changing))
    .execute()
  await trx
    .insertInto("shipment_items")
    .values(items.map(({ line, quantity }) => ({ ...place, line, quantity })))
    .onConflict((conflict) => conflict.columns(["order_id", "shipment", "line"]).doNothing())
    .execute()
}

async function saveItems(trx: Transaction<CommandDatabase>, before: Fulfilment, order: Order): Promise<void> {
  const after = order.fulfilment
  const changed = order.items
    .map(({ line }) => ({ line, reserved: reservedOf(after, line), shipped: shippedOf(after, line) }))
    .filter(
      ({ line, reserved, shipped }) =>
        reserved !== reservedOf(before, line) || shipped !== shippedOf(before, line),
    )
  if (changed.length === 0) return
  await sql`
    update order_items
    set reserved_quantity = change.reserved, shipped_quantity = change.shipped, updated_at = ${order.updatedAt}
    from unnest(${changed.map(({ line }) => line)}::int[], ${changed.map(({ reserved }) => reserved)}::int[],
      ${changed.map(({ shipped }) => shipped)}::int[]) as change (line, reserved, shipped)
    where order_items.order_id = ${order.id} and order_items.line = change.line`.execute(trx)
}

/** Reserving and releasing change what is reserved; what leaves from a reservation leaves the stock too. */
function stockChanges(before: Fulfilment, order: Order): Map<string, StockChange> {
  const after = order.fulfilment
  const changes = new Map<string, StockChange>()
  for (const { line, productId } of order.items) {
    const reserved = reservedOf(after, line) - reservedOf(before, line)
    if (reserved === 0) continue
    const sent = Math.min(shippedOf(after, line) - shippedOf(before, line), -reserved)
    const sum = changes.get(productId) ?? { onHand: 0n, reserved: 0n }
    changes.set(productId, {
      onHand: sum.onHand - BigInt(Math.max(sent, 0)),
      reserved: sum.reserved + BigInt(reserved),
    })
  }
  return changes
}
