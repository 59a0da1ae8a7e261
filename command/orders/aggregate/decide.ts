// The rules of an order, pure: an order and a command in, one event or one rejection out. transitions.ts says which
// status takes which command; the rules of drafts, payments and shipments are in files of their own.
import { accept, type Result, refuse } from "../../vocabulary/rejection.ts"
import type { ExistingOrderCommand, OrderCommand, UpdateOrder } from "./commands.ts"
import { compensationOf } from "./compensation.ts"
import { decideCreate, decideDraft } from "./draft.ts"
import type { OrderEvent } from "./events.ts"
import type { Order } from "./order.ts"
import { decidePayment } from "./pay.ts"
import type { PaymentFact } from "./payment-events.ts"
import type { Known } from "./repricing.ts"
import { decideShipment } from "./ship.ts"
import type { ShipmentFact } from "./shipment-events.ts"
import { refuseUnlessTaken } from "./transitions.ts"

/** The event that follows from the command, or the reason why none follows. */
export function decide(order: Order | undefined, command: OrderCommand, known: Known): Result<OrderEvent> {
  if (command.type === "CreateOrder") return decideCreate(command, known)
  if (!order) return refuse("order-not-found", "There is no such order.")
  return refuseUnlessTaken(order.status, command.type) ?? decideNext(order, command, known)
}

function decideNext(order: Order, command: ExistingOrderCommand, known: Known): Result<OrderEvent> {
  const next = { version: order.version + 1, at: known.now }
  const following = (fact: Result<PaymentFact | ShipmentFact>): Result<OrderEvent> =>
    fact.ok ? accept({ ...fact.value, ...next }) : fact
  switch (command.type) {
    case "AddItem":
    case "ChangeItem":
    case "RemoveItem":
    case "ConfirmOrder":
      if (order.status !== "draft") throw new Error(`${command.type} is for drafts only`)
      return decideDraft(order, command, known)
    case "UpdateOrder":
      return order.status === "draft"
        ? decideDraft(order, command, known)
        : decideUpdate(order, command, known)
    case "CancelOrder":
      if (order.fulfilment.shipments.length > 0) {
        return refuse(
          "order-not-cancellable",
          "A part of the order has been shipped already. Refunded in full, it ends with that part.",
          { order_status: order.status },
        )
      }
      return accept({
        type: "OrderCancelled",
        reason: command.reason,
        compensation: compensationOf(order.fulfilment),
        ...next,
      })
    case "ShipOrder":
    case "DeliverShipment":
      return following(decideShipment(order, command))
    case "PayOrder":
    case "CapturePayment":
    case "RecordPayment":
    case "RefundOrder":
    case "RecordRefund":
      return following(decidePayment(order, command))
    default:
      return command satisfies never
  }
}

/** The price of a confirmed order is agreed on: codes are final, and so is the country that it was priced for. */
function decideUpdate(order: Order, command: UpdateOrder, { now }: Known): Result<OrderEvent> {
  const about = { order_status: order.status }
  if (command.discountCodes) {
    return refuse("order-not-draft", `The order is ${order.status}; its price is final.`, about)
  }
  if (command.country !== undefined && command.country !== order.country) {
    const priced = order.country === null ? "without a country" : `for ${order.country}`
    return refuse("country-fixed", `The order was priced ${priced}; its address must stay there.`, {
      ...about,
      country: order.country,
    })
  }
  return accept({ type: "OrderUpdated", fields: command.fields, version: order.version + 1, at: now })
}
