// What accepted commands leave behind, and how an order follows from them: folding `evolve` over an order's
// events gives the order again, at every version.

import type { Pricing } from "../../pricing/basket.ts"
import type { CustomerId, OrderId } from "../../vocabulary/ids.ts"
import type { DetailField } from "./commands.ts"
import { type LineQuantity, nothingFulfilled } from "./fulfilment.ts"
import { type Compensation, compensate, evolveFulfilment, type FulfilmentFact } from "./fulfilment-events.ts"
import { type Item, type Order, orderSums, withoutLine, withQuantity } from "./order.ts"
import { type Repriced, withPrices } from "./repricing.ts"
import { capturedMinor, isGivenBack } from "./sums.ts"

type Fact =
  | {
      type: "OrderCreated"
      orderId: OrderId
      customerId: CustomerId
      currency: string
      country: string | null
      discountCodes: readonly string[]
      items: readonly Item[]
      fields: readonly DetailField[]
      pricing: Pricing
    }
  | {
      type: "OrderUpdated"
      fields: readonly DetailField[]
      country?: string | null
      discountCodes?: readonly string[]
      /** Of a draft; later there is nothing to price. */
      repriced?: Repriced
    }
  | { type: "ItemAdded"; item: Item; repriced: Repriced }
  | { type: "ItemChanged"; line: number; quantity: number; repriced: Repriced }
  | { type: "ItemRemoved"; line: number; repriced: Repriced }
  | {
      type: "OrderConfirmed"
      repriced: Repriced
      reserved: readonly LineQuantity[]
      reservedUntil: Date | null
    }
  | { type: "OrderCancelled"; reason: string; compensation: Compensation }
  /** The customer was erased; an erasure writes it without a decision, for all their orders at once. */
  | { type: "PersonalDataErased"; columns: readonly string[] }
  | FulfilmentFact

/** `version` is the order's version after the event; the first is 1. */
export type OrderEvent = Fact & { version: number; at: Date }

/**
 * The order after the event.
 * Throws if the event cannot follow this order; `decide` never makes such an event.
 */
export function evolve(order: Order | undefined, event: OrderEvent): Order {
  if (event.type === "OrderCreated") {
    if (order) throw new Error(`order ${order.id} exists already`)
    return {
      status: "draft",
      id: event.orderId,
      customerId: event.customerId,
      currency: event.currency,
      items: event.items,
      lastLine: event.items.length,
      fulfilment: nothingFulfilled,
      country: event.country,
      discountCodes: event.discountCodes,
      ...charged(event.pricing),
      version: event.version,
      createdAt: event.at,
      updatedAt: event.at,
    }
  }
  if (!order) throw new Error(`${event.type} comes before OrderCreated`)
  if (event.version !== order.version + 1) {
    throw new Error(`${event.type} has version ${event.version}, order ${order.id} is at ${order.version}`)
  }
  const now = { ...order, version: event.version, updatedAt: event.at }
  switch (event.type) {
    case "OrderUpdated": {
      const { country = now.country, discountCodes = now.discountCodes, repriced } = event
      const updated = { ...now, country, discountCodes }
      return repriced ? atPrices(updated, updated.items, repriced) : updated
    }
    case "PersonalDataErased":
      return now
    case "ItemAdded": {
      const { item, repriced } = event
      return { ...atPrices(now, [...now.items, item], repriced), lastLine: item.line }
    }
    case "ItemChanged":
      return atPrices(now, withQuantity(now.items, event.line, event.quantity), event.repriced)
    case "ItemRemoved":
      return atPrices(now, withoutLine(now.items, event.line), event.repriced)
    case "OrderConfirmed": {
      const { repriced, reserved, reservedUntil, at: confirmedAt } = event
      const fulfilment = { ...now.fulfilment, reserved }
      const kept = { ...atPrices(now, now.items, repriced), fulfilment, confirmedAt }
      return repriced.pricing.totalMinor === 0n
        ? { ...kept, status: "paid", paidAt: confirmedAt }
        : { ...kept, status: "confirmed", reservedUntil }
    }
    case "OrderCancelled":
      return {
        ...now,
        status: "cancelled",
        fulfilment: { ...compensate(now.fulfilment, event.compensation), reserved: [] },
        confirmedAt: now.status === "draft" ? null : now.confirmedAt,
        paidAt: now.status === "draft" || now.status === "confirmed" ? null : now.paidAt,
        cancelledAt: event.at,
        cancelReason: event.reason,
      }
    case "PaymentRequested":
    case "PaymentCaptureRequested":
    case "PaymentAuthorized":
    case "PaymentProcessed":
    case "PaymentDeclined":
    case "PaymentVoided":
    case "PaymentOutcomeUnknown":
    case "RefundRequested":
    case "OrderRefunded":
    case "RefundFailed":
    case "RefundOutcomeUnknown":
    case "OrderShipped":
    case "OrderDelivered":
      return goOn({ ...now, fulfilment: evolveFulfilment(now.fulfilment, event, event.at) }, event)
    default:
      return event satisfies never
  }
}

/** The order, whose fulfilment the event has changed already, in the status that follows. */
function goOn(now: Order, event: FulfilmentFact & { at: Date }): Order {
  const { type, at } = event
  if (type === "PaymentProcessed" && now.status === "confirmed") {
    const isPaid = capturedMinor(now.fulfilment) >= orderSums(now).totalMinor
    return isPaid ? { ...now, status: "paid", paidAt: at } : now
  }
  if (type === "OrderRefunded" && isGivenBack(now.fulfilment)) return withoutRest(now, at)
  if (type === "OrderShipped" && event.complete && now.status === "paid") {
    return { ...now, status: "shipped", shippedAt: at }
  }
  if (type === "OrderDelivered" && event.complete && now.status === "shipped") {
    return { ...now, status: "delivered", deliveredAt: at }
  }
  return now
}

/**
 * What is given back is not shipped any more, so nothing waits for it. What has left already is all of the order then,
 * which goes on to its last delivery; if nothing has left, it is for somebody to cancel.
 */
function withoutRest(now: Order, at: Date): Order {
  const rest = { ...now, fulfilment: { ...now.fulfilment, reserved: [] } }
  const { shipments } = now.fulfilment
  if (rest.status !== "paid" || shipments.length === 0) return rest
  const shipped = { ...rest, shippedAt: at }
  return shipments.every(({ deliveredAt }) => deliveredAt !== null)
    ? { ...shipped, status: "delivered", deliveredAt: at }
    : { ...shipped, status: "shipped" }
}

function atPrices(order: Order, items: readonly Item[], { prices, pricing }: Repriced): Order {
  return { ...order, items: withPrices(items, prices), ...charged(pricing) }
}

function charged({ discountMinor, shippingMinor, taxMinor, breakdown }: Pricing) {
  return { discountMinor, shippingMinor, taxMinor, breakdown }
}
