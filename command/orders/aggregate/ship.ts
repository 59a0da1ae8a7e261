// The rules of shipments, pure: a paid order leaves in one parcel or in several, and each arrives once.
import { accept, type Result, refuse } from "../../vocabulary/rejection.ts"
import type { Order } from "./order.ts"
import { isRefunded } from "./payment.ts"
import { type LineQuantity, shippedOf } from "./shipment.ts"
import type { ShipmentFact } from "./shipment-events.ts"

export type ShipmentCommand =
  /** `items`: everything that is left without them. */
  | {
      type: "ShipOrder"
      carrier: string
      tracking: string | null
      items: readonly LineQuantity[] | undefined
    }
  | { type: "DeliverShipment"; shipment: number }

/** The fact that follows for an order whose status takes the command. */
export function decideShipment(order: Order, command: ShipmentCommand): Result<ShipmentFact> {
  switch (command.type) {
    case "ShipOrder":
      return decideShip(order, command)
    case "DeliverShipment": {
      const { shipment } = command
      const { shipments } = order.fulfilment
      const found = shipments.find((one) => one.shipment === shipment)
      if (!found) return refuse("shipment-not-found", `The order has no shipment ${shipment}.`)
      if (found.deliveredAt) return refuse("shipment-delivered", `Shipment ${shipment} has arrived already.`)
      const others = shipments.filter((one) => one !== found)
      const complete = order.status === "shipped" && others.every(({ deliveredAt }) => deliveredAt !== null)
      return accept({ type: "OrderDelivered", shipment, complete })
    }
    default:
      return command satisfies never
  }
}

function decideShip(
  order: Order,
  { carrier, tracking, items }: Extract<ShipmentCommand, { type: "ShipOrder" }>,
): Result<ShipmentFact> {
  if (isRefunded(order.fulfilment)) {
    return refuse("order-refunded", "The order was refunded in full; nothing of it is shipped any more.")
  }
  const left = order.items
    .map(({ line, quantity }) => ({ line, quantity: quantity - shippedOf(order.fulfilment, line) }))
    .filter(({ quantity }) => quantity > 0)
  const sent = items ?? left
  for (const { line, quantity } of sent) {
    if (!order.items.some((item) => item.line === line)) {
      return refuse("line-not-found", `The order has no line ${line}.`)
    }
    const rest = left.find((one) => one.line === line)?.quantity ?? 0
    if (quantity > rest) {
      return refuse("quantity-exceeds-left", `Of line ${line}, ${rest} are left to be shipped.`, {
        line,
        left: rest,
      })
    }
  }
  const complete = left.every((rest) =>
    sent.some(({ line, quantity }) => line === rest.line && quantity === rest.quantity),
  )
  const shipment = order.fulfilment.shipments.length + 1
  return accept({ type: "OrderShipped", shipment, carrier, tracking, items: sent, complete })
}
