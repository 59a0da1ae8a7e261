// The routes of shipments: a parcel leaves, and a parcel has arrived.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import { changeHeaders } from "../../http/command-headers.ts"
import { jsonBody, noBody } from "../../http/json-body.ts"
import { jsonOf } from "../../http/respond.ts"
import { text } from "../../vocabulary/text.ts"
import { maximumLines } from "../aggregate/requested-items.ts"
import { type ChangeDeps, changedUnless, createChange, numberParam, orderParams } from "./change-route.ts"

const shipmentRequest = z.strictObject({
  carrier: text(100),
  tracking: text(200).optional(),
  items: z
    .array(
      z.strictObject({
        line: z.number().int().min(1).max(999_999_999),
        quantity: z.number().int().min(1).max(100_000),
      }),
    )
    .min(1)
    .max(maximumLines)
    .refine((items) => new Set(items.map(({ line }) => line)).size === items.length, "must name a line once")
    .optional()
    .openapi({ description: "Everything that is left, without it." }),
})

const postShipment = createRoute({
  method: "post",
  path: "/orders/{id}/shipments",
  summary: "Send what a paid order waits for, in full or in part",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params: orderParams, body: jsonOf(shipmentRequest) },
  responses: changedUnless(
    "order-not-shippable",
    "order-refunded",
    "line-not-found",
    "quantity-exceeds-left",
  ),
})

const postDelivery = createRoute({
  method: "post",
  path: "/orders/{id}/shipments/{shipment}/deliver",
  summary: "Say that a shipment has arrived",
  middleware: [noBody],
  request: {
    headers: changeHeaders,
    params: orderParams.extend({ shipment: numberParam("shipment") }),
  },
  responses: changedUnless("order-not-deliverable", "shipment-not-found", "shipment-delivered"),
})

export function createShipmentRoutes(deps: ChangeDeps): OpenAPIHono {
  const change = createChange(deps)
  const routes = new OpenAPIHono()

  routes.openapi(postShipment, (c) => {
    const { carrier, tracking, items } = c.req.valid("json")
    const request = { id: c.req.valid("param").id, headers: c.req.valid("header") }
    return change(c, request, { type: "ShipOrder", carrier, tracking: tracking ?? null, items })
  })

  routes.openapi(postDelivery, (c) => {
    const { id, shipment } = c.req.valid("param")
    return change(c, { id, headers: c.req.valid("header") }, { type: "DeliverShipment", shipment })
  })

  return routes
}
