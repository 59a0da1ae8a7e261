// Orders and a catalogue for the tests of the decider.

import { evolve, type OrderEvent } from "../../../../command/orders/aggregate/events.ts"
import type { Order } from "../../../../command/orders/aggregate/order.ts"
import { noCompensation } from "../../../../command/orders/aggregate/payment-events.ts"
import type { Known } from "../../../../command/orders/aggregate/repricing.ts"
import type { Pricing } from "../../../../command/pricing/basket.ts"
import type { Product } from "../../../../command/products/product.ts"
import { customerId, orderId, productId } from "../../../../command/vocabulary/ids.ts"

export const at = new Date("2026-01-02T03:04:05.678Z")

const catalogue: Record<string, Product> = {
  keyboard: { price: { amountMinor: 2999n, currency: "USD" }, active: true, weightGrams: 900 },
  lamp: { price: { amountMinor: 4950n, currency: "USD" }, active: true, weightGrams: 900 },
  kettle: { price: { amountMinor: 3990n, currency: "EUR" }, active: true, weightGrams: 900 },
  retired: { price: { amountMinor: 100n, currency: "USD" }, active: false, weightGrams: 900 },
  palace: { price: { amountMinor: 2n ** 62n, currency: "USD" }, active: true, weightGrams: 900 },
}

/** There are five keyboards, of which two wait for other orders; nothing else is kept in stock. */
export const known: Known = {
  now: at,
  productOf: (id) => catalogue[id],
  stockOf: (id) => (id === "keyboard" ? { onHand: 5n, reserved: 2n } : undefined),
  reservationMs: 60_000,
  priceRules: { now: at, discounts: [], shippingRules: [], isShippingCharged: false, taxRates: new Map() },
}

export const anOrderId = orderId.parse("order-1")
export const aCustomerId = customerId.parse("customer-1")
export const keyboard = productId.parse("keyboard")

/** Two keyboards, collected. */
const pricing: Pricing = {
  subtotalMinor: 5998n,
  discountMinor: 0n,
  shippingMinor: 0n,
  taxMinor: 0n,
  totalMinor: 5998n,
  breakdown: { discounts: [], shipping: null, tax: null },
}

const created: OrderEvent = {
  type: "OrderCreated",
  orderId: anOrderId,
  customerId: aCustomerId,
  currency: "USD",
  country: null,
  discountCodes: [],
  items: [{ line: 1, productId: keyboard, quantity: 2, unitPriceMinor: 2999n }],
  fields: [],
  pricing,
  version: 1,
  at,
}

/** A draft with two keyboards on line 1. */
export const draft = evolve(undefined, created)
export const emptyDraft: Order = { ...draft, items: [] }
export const confirmed = evolve(draft, {
  type: "OrderConfirmed",
  repriced: { prices: [], pricing },
  reserved: [{ line: 1, quantity: 2 }],
  reservedUntil: new Date(at.getTime() + 60_000),
  version: 2,
  at,
})
export const cancelled = evolve(draft, {
  type: "OrderCancelled",
  reason: "changed my mind",
  compensation: noCompensation,
  version: 2,
  at,
})

/** The draft as if it had gone on to this status. */
export function orderIn(status: "paid" | "shipped" | "delivered"): Order {
  const { status: _, ...facts } = draft
  const times = { confirmedAt: at, paidAt: at, shippedAt: at, deliveredAt: at }
  return { ...facts, version: 2, status, ...times }
}
