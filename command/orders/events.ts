// What accepted commands leave behind, and how an order follows from them: folding `evolve` over an order's
// events gives the order again, at every version.
import type { CustomerId, OrderId } from "../ids.ts"
import type { DetailField } from "./commands.ts"
import type { Item, Order } from "./order.ts"

type Fact =
  | {
      type: "OrderCreated"
      orderId: OrderId
      customerId: CustomerId
      currency: string
      items: readonly Item[]
      fields: readonly DetailField[]
    }
  | { type: "OrderUpdated"; fields: readonly DetailField[] }
  | { type: "ItemAdded"; item: Item }
  | { type: "ItemChanged"; line: number; quantity: number }
  | { type: "ItemRemoved"; line: number }
  | { type: "OrderConfirmed" }
  | { type: "OrderCancelled"; reason: string }
  /** The customer was erased; an erasure writes it without a decision, for all their orders at once. */
  | { type: "PersonalDataErased"; columns: readonly string[] }

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
      discountMinor: 0n,
      shippingMinor: 0n,
      taxMinor: 0n,
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
    case "OrderUpdated":
    case "PersonalDataErased":
      return now
    case "ItemAdded":
      return { ...now, items: [...now.items, event.item], lastLine: event.item.line }
    case "ItemChanged":
      return {
        ...now,
        items: now.items.map((item) =>
          item.line === event.line ? { ...item, quantity: event.quantity } : item,
        ),
      }
    case "ItemRemoved":
      return { ...now, items: now.items.filter((item) => item.line !== event.line) }
    case "OrderConfirmed":
      return { ...now, status: "confirmed", confirmedAt: event.at }
    case "OrderCancelled":
      return {
        ...now,
        status: "cancelled",
        confirmedAt: now.status === "draft" ? null : now.confirmedAt,
        cancelledAt: event.at,
        cancelReason: event.reason,
      }
    default:
      return event satisfies never
  }
}
