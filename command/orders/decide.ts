// The rules of an order, pure: an order and a command in, one event or one rejection out.
// What concerns a draft is in draft.ts; here stands who decides what, and what an order allows at other times.
import { accept, type Refused, type Result, refuse } from "../rejection.ts"
import type { ExistingOrderCommand, OrderCommand } from "./commands.ts"
import { decideCreate, decideDraft, type Known } from "./draft.ts"
import type { OrderEvent } from "./events.ts"
import type { Order } from "./order.ts"

/** The event that follows from the command, or why none does. */
export function decide(order: Order | undefined, command: OrderCommand, known: Known): Result<OrderEvent> {
  if (command.type === "CreateOrder") return decideCreate(command, known)
  if (!order) return refuse("order-not-found", "There is no such order.")
  return decideNext(order, command, known)
}

function decideNext(order: Order, command: ExistingOrderCommand, known: Known): Result<OrderEvent> {
  const next = { version: order.version + 1, at: known.now }
  switch (command.type) {
    case "AddItem":
    case "ChangeItem":
    case "RemoveItem":
    case "ConfirmOrder":
      return order.status === "draft" ? decideDraft(order, command, known) : notDraft(order)
    case "UpdateOrder":
      if (order.status === "shipped" || order.status === "delivered" || order.status === "cancelled") {
        return refuse("order-closed", `The order is ${order.status}; address and note are final.`, {
          order_status: order.status,
        })
      }
      return accept({ type: "OrderUpdated", fields: command.fields, ...next })
    case "CancelOrder":
      if (order.status === "shipped" || order.status === "delivered" || order.status === "cancelled") {
        return refuse(
          "order-not-cancellable",
          `The order is ${order.status}; only a draft, confirmed or paid order can be cancelled.`,
          { order_status: order.status },
        )
      }
      return accept({ type: "OrderCancelled", reason: command.reason, ...next })
    default:
      return command satisfies never
  }
}

function notDraft(order: Order): Refused {
  return refuse("order-not-draft", `The order is ${order.status}; this is possible only in a draft.`, {
    order_status: order.status,
  })
}
