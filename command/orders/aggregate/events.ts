// The events that accepted commands leave behind, and the order that follows from them: folding `evolve` over an
// order's events gives the order again, at every version. Drafts, payments and shipments have their facts in files of
// their own; here stands the status that follows.
import { begin, type DraftFact, evolveDraft, type Stamp } from "./draft-events.ts"
import { type Fulfilment, type Order, orderSums } from "./order.ts"
import { capturedMinor, isGivenBack } from "./payment.ts"
import { type Compensation, compensate, evolvePayments, type PaymentFact } from "./payment-events.ts"
import { evolveShipments, type ShipmentFact } from "./shipment-events.ts"

type Cancelled = { type: "OrderCancelled"; reason: string; compensation: Compensation }

export type OrderEvent = Stamp &
  (
    | DraftFact
    | PaymentFact
    | ShipmentFact
    | Cancelled
    /** The customer was erased; an erasure writes it without a decision, for all their orders at once. */
    | { type: "PersonalDataErased"; columns: readonly string[] }
  )

/** A fact about payments names a payment, a refund or refunds; no other fact does. */
export const isPaymentFact = (event: OrderEvent) =>
  "payment" in event || "refund" in event || "refunds" in event

/**
 * The order after the event.
 * Throws if the event cannot follow this order; `decide` never makes such an event.
 */
export function evolve(order: Order | undefined, event: OrderEvent): Order {
  if (event.type === "OrderCreated") {
    if (order) throw new Error(`order ${order.id} exists already`)
    return begin(event)
  }
  if (!order) throw new Error(`${event.type} comes before OrderCreated`)
  if (event.version !== order.version + 1) {
    throw new Error(`${event.type} has version ${event.version}, order ${order.id} is at ${order.version}`)
  }
  const now = { ...order, version: event.version, updatedAt: event.at }
  if (isPaymentFact(event)) {
    return afterPayment(withFulfilment(now, evolvePayments(now.fulfilment, event)), event)
  }
  if ("shipment" in event) {
    return afterShipment(withFulfilment(now, evolveShipments(now.fulfilment, event, event.at)), event)
  }
  if (event.type === "PersonalDataErased") return now
  return event.type === "OrderCancelled" ? cancel(now, event) : evolveDraft(now, event)
}

function cancel(now: Order, { reason, compensation, at }: Cancelled & Stamp): Order {
  return {
    ...withFulfilment(now, { ...compensate(now.fulfilment, compensation), reserved: [] }),
    status: "cancelled",
    confirmedAt: now.status === "draft" ? null : now.confirmedAt,
    paidAt: now.status === "draft" || now.status === "confirmed" ? null : now.paidAt,
    cancelledAt: at,
    cancelReason: reason,
  }
}

function withFulfilment(order: Order, changed: Partial<Fulfilment>): Order {
  return { ...order, fulfilment: { ...order.fulfilment, ...changed } }
}

/** The order, whose payments the fact has changed already, in the status that follows. */
function afterPayment(now: Order, { type, at }: PaymentFact & Stamp): Order {
  if (type === "PaymentProcessed" && now.status === "confirmed") {
    const isPaid = capturedMinor(now.fulfilment) >= orderSums(now).totalMinor
    return isPaid ? { ...now, status: "paid", paidAt: at } : now
  }
  return type === "OrderRefunded" && isGivenBack(now.fulfilment) ? withoutRest(now, at) : now
}

/** The order, whose shipments the fact has changed already, in the status that follows. */
function afterShipment(now: Order, { type, complete, at }: ShipmentFact & Stamp): Order {
  if (type === "OrderShipped" && complete && now.status === "paid") {
    return { ...now, status: "shipped", shippedAt: at }
  }
  if (type === "OrderDelivered" && complete && now.status === "shipped") {
    return { ...now, status: "delivered", deliveredAt: at }
  }
  return now
}

/**
 * Goods whose money is given back are not shipped any more, so no stock waits for them. The parcels that have left are all
 * of the order then, which goes on to its last delivery; if none has left, the order is for somebody to cancel.
 */
function withoutRest(now: Order, at: Date): Order {
  const rest = withFulfilment(now, { reserved: [] })
  const { shipments } = now.fulfilment
  if (rest.status !== "paid" || shipments.length === 0) return rest
  const shipped = { ...rest, shippedAt: at }
  return shipments.every(({ deliveredAt }) => deliveredAt !== null)
    ? { ...shipped, status: "delivered", deliveredAt: at }
    : { ...shipped, status: "shipped" }
}
