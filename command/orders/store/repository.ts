// Orders in Postgres. Every function takes the command's transaction: an order is read under its row lock and
// its new state, its items and its event are written together or not at all.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { Origin } from "../../execute/origin.ts"
import { readBreakdown, writeBreakdown } from "../../pricing/stored-pricing.ts"
import { customerId, type OrderId, orderId, productId } from "../../vocabulary/ids.ts"
import type { OrderEvent } from "../aggregate/events.ts"
import { type Fulfilment, type Item, nothingFulfilled, type Order, orderSums } from "../aggregate/order.ts"
import { capturedMinor, refundedMinor } from "../aggregate/payment.ts"
import { toStoredEvent } from "./event-codecs.ts"
import { writeItems } from "./item-rows.ts"
import { loadPayments } from "./payment-rows.ts"
import { loadShipments } from "./shipment-rows.ts"

/** Columns that no rule looks at. The address is JSON as stored. */
export type OrderDetails = { shippingAddress: unknown; note: string | null }

export type StoredOrder = { order: Order; details: OrderDetails }

/** An order written by the transaction with this id. */
export type SavedOrder = StoredOrder & { xid: string }

/**
 * Locks the order until the transaction ends, then reads it. Commands on one order are so taken one by one.
 * The items are read by a second statement on purpose: after waiting for the lock, READ COMMITTED looks again
 * at the locked row only, and a sub-select would still see the items of before the wait.
 */
export async function lockOrder(
  trx: Transaction<CommandDatabase>,
  id: OrderId,
): Promise<StoredOrder | undefined> {
  const row = await trx.selectFrom("orders").selectAll().where("id", "=", id).forUpdate().executeTakeFirst()
  if (!row) return undefined
  const items = await trx
    .selectFrom("order_items")
    .selectAll()
    .where("order_id", "=", id)
    .orderBy("line")
    .execute()
  // A draft has neither payments nor shipments.
  const fulfilment =
    row.status === "draft"
      ? nothingFulfilled
      : { ...(await loadPayments(trx, id)), ...(await loadShipments(trx, id, items)) }
  return {
    order: toOrder(row, items, fulfilment),
    details: { shippingAddress: row.shipping_address, note: row.note },
  }
}

/**
 * Writes the order as it is after the event, the items that differ from `before`, and the event by one statement,
 * and returns the transaction's id. `origin` says whose request it was. Foreign keys are checked when all of it is
 * written.
 */
export async function saveOrder(
  trx: Transaction<CommandDatabase>,
  before: readonly Item[],
  { order, details }: StoredOrder,
  event: OrderEvent,
  origin: Origin,
): Promise<string> {
  const row = { ...toRow(order), shipping_address: toJson(details.shippingAddress), note: details.note }
  const orderWrite =
    event.type === "OrderCreated"
      ? trx.insertInto("orders").values(row)
      : trx.updateTable("orders").set(row).where("id", "=", order.id)
  const itemWrites = writeItems(trx, order, before)
  const { payload, ...stored } = toStoredEvent(event)
  const eventWrite = trx.insertInto("order_events").values({
    ...stored,
    order_id: order.id,
    payload: JSON.stringify(payload),
    actor: null,
    request_id: origin.requestId,
    traceparent: origin.traceparent,
  })
  const { rows } = await sql<{ xid: string }>`
    with saved_order as (${orderWrite}) ${sql.join(itemWrites, sql``)}
    ${eventWrite} returning pg_current_xact_id()::text as xid`.execute(trx)
  return rows[0]?.xid ?? ""
}

function toRow(order: Order) {
  const { subtotalMinor, totalMinor } = orderSums(order)
  return {
    id: order.id,
    customer_id: order.customerId,
    status: order.status,
    currency: order.currency,
    subtotal_minor: subtotalMinor,
    discount_minor: order.discountMinor,
    shipping_minor: order.shippingMinor,
    tax_minor: order.taxMinor,
    total_minor: totalMinor,
    captured_minor: capturedMinor(order.fulfilment),
    refunded_minor: refundedMinor(order.fulfilment),
    country: order.country,
    discount_codes: [...order.discountCodes],
    pricing: order.breakdown && JSON.stringify(writeBreakdown(order.breakdown)),
    last_line: order.lastLine,
    version: order.version,
    created_at: order.createdAt,
    updated_at: order.updatedAt,
    confirmed_at: order.status === "draft" ? null : order.confirmedAt,
    reserved_until: order.status === "confirmed" ? order.reservedUntil : null,
    paid_at: order.status === "draft" || order.status === "confirmed" ? null : order.paidAt,
    shipped_at: order.status === "shipped" || order.status === "delivered" ? order.shippedAt : null,
    delivered_at: order.status === "delivered" ? order.deliveredAt : null,
    cancelled_at: order.status === "cancelled" ? order.cancelledAt : null,
    cancel_reason: order.status === "cancelled" ? order.cancelReason : null,
  }
}

function toOrder(
  row: Selectable<CommandDatabase["orders"]>,
  itemRows: Selectable<CommandDatabase["order_items"]>[],
  fulfilment: Fulfilment,
): Order {
  const items = itemRows.map((item) => ({
    line: item.line,
    productId: productId.parse(item.product_id),
    quantity: item.quantity,
    unitPriceMinor: item.unit_price_minor,
  }))
  const facts = {
    id: orderId.parse(row.id),
    customerId: customerId.parse(row.customer_id),
    currency: row.currency,
    items,
    // Other programs may have written lines without counting them in `last_line`.
    lastLine: Math.max(row.last_line, items.at(-1)?.line ?? 0),
    fulfilment,
    discountMinor: row.discount_minor,
    shippingMinor: row.shipping_minor,
    taxMinor: row.tax_minor,
    country: row.country,
    discountCodes: row.discount_codes,
    breakdown: readBreakdown(row.pricing),
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
  // Likewise a row written by another program may lack the time of its status; its last change stands in.
  const confirmedAt = row.confirmed_at ?? row.updated_at
  const paidAt = row.paid_at ?? row.updated_at
  const shippedAt = row.shipped_at ?? row.updated_at
  switch (row.status) {
    case "draft":
      return { ...facts, status: row.status }
    case "confirmed":
      return { ...facts, status: row.status, confirmedAt, reservedUntil: row.reserved_until }
    case "paid":
      return { ...facts, status: row.status, confirmedAt, paidAt }
    case "shipped":
      return { ...facts, status: row.status, confirmedAt, paidAt, shippedAt }
    case "delivered": {
      const deliveredAt = row.delivered_at ?? row.updated_at
      return { ...facts, status: row.status, confirmedAt, paidAt, shippedAt, deliveredAt }
    }
    case "cancelled":
      return {
        ...facts,
        status: row.status,
        confirmedAt: row.confirmed_at,
        paidAt: row.paid_at,
        cancelledAt: row.cancelled_at ?? row.updated_at,
        cancelReason: row.cancel_reason ?? "",
      }
    default:
      return row.status satisfies never
  }
}

function toJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value)
}
