// The JSON of an order's shipments, as a part of the order's.
import { z } from "@hono/zod-openapi"
import type { Order } from "../aggregate/order.ts"

const number = z.number().int()
const time = z.iso.datetime()

export const shipmentShape = {
  shipments: z.array(
    z.object({
      shipment: number,
      carrier: z.string(),
      tracking: z.string().nullable(),
      items: z.array(z.object({ line: number, quantity: number })),
      shipped_at: time,
      delivered_at: time.nullable(),
    }),
  ),
}

const shipmentBody = z.object(shipmentShape)

export function toShipmentBody({ fulfilment }: Order): z.infer<typeof shipmentBody> {
  return {
    shipments: fulfilment.shipments.map(({ shipment, carrier, tracking, items, shippedAt, deliveredAt }) => ({
      shipment,
      carrier,
      tracking,
      items: items.map(({ line, quantity }) => ({ line, quantity })),
      shipped_at: shippedAt.toISOString(),
      delivered_at: deliveredAt?.toISOString() ?? null,
    })),
  }
}
