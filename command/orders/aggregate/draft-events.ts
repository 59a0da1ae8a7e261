// The facts about an order until its price is final, and the order after each. Part of `evolve`.
import type { Pricing } from "../../pricing/basket.ts"
import type { CustomerId, OrderId } from "../../vocabulary/ids.ts"
import type { DetailField } from "./commands.ts"
import {
  type DraftOrder,
  type Item,
  nothingFulfilled,
  type Order,
  withoutLine,
  withQuantity,
} from "./order.ts"
import { type Repriced, withPrices } from "./repricing.ts"
import type { LineQuantity } from "./shipment.ts"

/** `version` is the order's version after the event; the first is 1. */
export type Stamp = { version: number; at: Date }

type Created = {
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

type Drafted =
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

export type DraftFact = Created | Drafted

/** The order that the event begins. */
export function begin(event: Created & Stamp): DraftOrder {
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

/** `now` has the event's version and time already. */
export function evolveDraft(now: Order, event: Drafted & Stamp): Order {
  switch (event.type) {
    case "OrderUpdated": {
      const { country = now.country, discountCodes = now.discountCodes, repriced } = event
      const updated = { ...now, country, discountCodes }
      return repriced ? atPrices(updated, updated.items, repriced) : updated
    }
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
    default:
      return event satisfies never
  }
}

function atPrices(order: Order, items: readonly Item[], { prices, pricing }: Repriced): Order {
  return { ...order, items: withPrices(items, prices), ...charged(pricing) }
}

function charged({ discountMinor, shippingMinor, taxMinor, breakdown }: Pricing) {
  return { discountMinor, shippingMinor, taxMinor, breakdown }
}
