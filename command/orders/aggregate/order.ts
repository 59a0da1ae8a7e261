// The order aggregate: a union on `status`, so that a time or a reason exists only where it can.
// Address and note are no part of it: no rule looks at them and they are personal data, so they live in the
// row only (`OrderDetails`) and never in an event.

import { type Breakdown, subtotalOf } from "../../pricing/basket.ts"
import type { CustomerId, OrderId, ProductId } from "../../vocabulary/ids.ts"
import type { Money } from "../../vocabulary/money.ts"
import type { Payments } from "./payment.ts"
import type { Shipments } from "./shipment.ts"

export type Item = {
  /** 1, 2, .. in the order of adding; a removed line's number is not given again. */
  line: number
  productId: ProductId
  quantity: number
  /** The catalogue's price at the draft's last change; frozen when the order is confirmed. */
  unitPriceMinor: bigint
}

/** An order keeps this from its confirmation on. */
export type Fulfilment = Payments & Shipments

export const nothingFulfilled: Fulfilment = { reserved: [], payments: [], refunds: [], shipments: [] }

type OrderFacts = {
  id: OrderId
  customerId: CustomerId
  currency: string
  items: readonly Item[]
  lastLine: number
  fulfilment: Fulfilment
  /** Of the shipping address; null if the order is collected. */
  country: string | null
  /** As the customer named them. */
  discountCodes: readonly string[]
  discountMinor: bigint
  shippingMinor: bigint
  taxMinor: bigint
  /** How the sums came about; null if another program wrote the row. */
  breakdown: Breakdown | null
  version: number
  createdAt: Date
  updatedAt: Date
}

export type DraftOrder = OrderFacts & { status: "draft" }
type ConfirmedOrder = OrderFacts & {
  status: "confirmed"
  confirmedAt: Date
  /** Until then its stock is kept for it, if it says so. */
  reservedUntil: Date | null
}
type PaidOrder = OrderFacts & { status: "paid"; confirmedAt: Date; paidAt: Date }
type ShippedOrder = OrderFacts & { status: "shipped"; confirmedAt: Date; paidAt: Date; shippedAt: Date }
type DeliveredOrder = OrderFacts & {
  status: "delivered"
  confirmedAt: Date
  paidAt: Date
  shippedAt: Date
  deliveredAt: Date
}
type CancelledOrder = OrderFacts & {
  status: "cancelled"
  /** Null if it was cancelled as a draft. */
  confirmedAt: Date | null
  /** Null if it was not paid in full. */
  paidAt: Date | null
  cancelledAt: Date
  cancelReason: string
}

export type Order = DraftOrder | ConfirmedOrder | PaidOrder | ShippedOrder | DeliveredOrder | CancelledOrder

/** Sums of an order in minor units of its currency: total = subtotal - discount + shipping + tax. */
export function orderSums(order: Order): { subtotalMinor: bigint; totalMinor: bigint } {
  const subtotalMinor = subtotalOf(order.items)
  return {
    subtotalMinor,
    totalMinor: subtotalMinor - order.discountMinor + order.shippingMinor + order.taxMinor,
  }
}

export function itemTotal(item: Item, currency: string): Money {
  return { amountMinor: item.unitPriceMinor * BigInt(item.quantity), currency }
}

export function withQuantity(items: readonly Item[], line: number, quantity: number): Item[] {
  return items.map((item) => (item.line === line ? { ...item, quantity } : item))
}

export function withoutLine(items: readonly Item[], line: number): Item[] {
  return items.filter((item) => item.line !== line)
}
