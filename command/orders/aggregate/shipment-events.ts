// The facts about shipments, and the order's parcels and reserved stock after each. Part of `evolve`.
import type { LineQuantity, Shipments } from "./shipment.ts"

export type ShipmentFact =
  | {
      type: "OrderShipped"
      shipment: number
      carrier: string
      tracking: string | null
      items: readonly LineQuantity[]
      /** Nothing of the order is left to be shipped. */
      complete: boolean
    }
  | {
      type: "OrderDelivered"
      shipment: number
      /** Everything of the order has arrived. */
      complete: boolean
    }

/** Shipments that the fact does not concern stay the same objects. */
export function evolveShipments({ reserved, shipments }: Shipments, fact: ShipmentFact, at: Date): Shipments {
  const { shipment } = fact
  switch (fact.type) {
    case "OrderShipped": {
      const { carrier, tracking, items } = fact
      const sent = { shipment, carrier, tracking, items, shippedAt: at, deliveredAt: null }
      return { reserved: without(reserved, items), shipments: [...shipments, sent] }
    }
    case "OrderDelivered":
      return {
        reserved,
        shipments: shipments.map((one) => (one.shipment === shipment ? { ...one, deliveredAt: at } : one)),
      }
    default:
      return fact satisfies never
  }
}

function without(reserved: readonly LineQuantity[], sent: readonly LineQuantity[]): LineQuantity[] {
  return reserved
    .map(({ line, quantity }) => ({
      line,
      quantity: quantity - (sent.find((one) => one.line === line)?.quantity ?? 0),
    }))
    .filter(({ quantity }) => quantity > 0)
}
