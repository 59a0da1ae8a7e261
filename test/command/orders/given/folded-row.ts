// The row of an order as its folded events say it must be. Its columns are those of the table but what no event holds: a
// new column does not compile here before the fold knows it, and fails the comparison with the row.
import { type Selectable, sql } from "kysely"
import type { DetailField } from "../../../../command/orders/aggregate/commands.ts"
import { type Order, orderSums } from "../../../../command/orders/aggregate/order.ts"
import { capturedMinor, refundedMinor } from "../../../../command/orders/aggregate/payment.ts"
import { reservedOf, shippedOf } from "../../../../command/orders/aggregate/shipment.ts"
import { writeBreakdown } from "../../../../command/pricing/stored-pricing.ts"
import type { CommandDatabase } from "../../../../db/command-schema.ts"

type OrderRow = Omit<Selectable<CommandDatabase["orders"]>, DetailField>
/** Times of lines are those of the events that touched them, and no part of an order. */
type ItemRow = Omit<Selectable<CommandDatabase["order_items"]>, "created_at" | "updated_at">

/** Personal data, of which events hold the names only. */
const detailFields: Record<DetailField, true> = { shipping_address: true, note: true }

/** SQL: the row of an order named `o` as JSON, as far as events hold it. */
export const orderJson = sql.raw(`to_jsonb(o) - array['${Object.keys(detailFields).join("', '")}']`)

/** SQL: the lines of an order named `o` as JSON. */
export const itemsJson = sql.raw(`(
  select coalesce(jsonb_agg(to_jsonb(i) - array['created_at', 'updated_at'] order by line), '[]')
  from order_items i where i.order_id = o.id)`)

export function orderRowOf(order: Order): OrderRow {
  const { status, fulfilment } = order
  const isPaid = status !== "draft" && status !== "confirmed"
  return {
    id: order.id,
    customer_id: order.customerId,
    status,
    currency: order.currency,
    subtotal_minor: orderSums(order).subtotalMinor,
    discount_minor: order.discountMinor,
    shipping_minor: order.shippingMinor,
    tax_minor: order.taxMinor,
    total_minor: orderSums(order).totalMinor,
    captured_minor: capturedMinor(fulfilment),
    refunded_minor: refundedMinor(fulfilment),
    country: order.country,
    discount_codes: [...order.discountCodes],
    pricing: order.breakdown && writeBreakdown(order.breakdown),
    cancel_reason: status === "cancelled" ? order.cancelReason : null,
    last_line: order.lastLine,
    version: order.version,
    created_at: order.createdAt,
    updated_at: order.updatedAt,
    confirmed_at: status === "draft" ? null : order.confirmedAt,
    reserved_until: status === "confirmed" ? order.reservedUntil : null,
    paid_at: isPaid ? order.paidAt : null,
    shipped_at: status === "shipped" || status === "delivered" ? order.shippedAt : null,
    delivered_at: status === "delivered" ? order.deliveredAt : null,
    cancelled_at: status === "cancelled" ? order.cancelledAt : null,
  }
}

export function itemRowsOf({ id, items, fulfilment }: Order): ItemRow[] {
  return items.map(({ line, productId, quantity, unitPriceMinor }) => ({
    order_id: id,
    line,
    product_id: productId,
    quantity,
    unit_price_minor: unitPriceMinor,
    reserved_quantity: reservedOf(fulfilment, line),
    shipped_quantity: shippedOf(fulfilment, line),
  }))
}

/** To be compared with rows as JSON: numbers for big ones, times in milliseconds wherever they stand. */
export function comparable(value: unknown): unknown {
  if (typeof value === "bigint") return Number(value)
  if (value instanceof Date) return value.getTime()
  if (typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value)) return new Date(value).getTime()
  if (Array.isArray(value)) return value.map(comparable)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, comparable(one)]))
}
