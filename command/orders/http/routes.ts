// The commands on an order over HTTP. A handler only translates: request to command, accepted order to answer.
import { createRoute, OpenAPIHono } from "@hono/zod-openapi"
import { changeHeaders, creationHeaders } from "../../http/command-headers.ts"
import { jsonBody, noBody, optionalJsonBody } from "../../http/json-body.ts"
import { answersOf, jsonOf, optionalJsonOf, respond } from "../../http/respond.ts"
import type { OrderId } from "../../vocabulary/ids.ts"
import { accept } from "../../vocabulary/rejection.ts"
import type { DetailField, UpdateOrder } from "../aggregate/commands.ts"
import { type ChangeOrder, createOrder } from "../handle.ts"
import {
  cancellation,
  confirmation,
  itemChange,
  itemRequest,
  orderBody,
  orderChange,
  orderRequest,
} from "./bodies.ts"
import {
  askedUnless,
  type ChangeDeps,
  changedUnless,
  contextOf,
  createChange,
  numberParam,
  orderParams,
} from "./change-route.ts"
import { orderDone } from "./order-answer.ts"

export type OrderRouteDeps = ChangeDeps & { newOrderId: () => OrderId }

const lineParams = orderParams.extend({ line: numberParam("line") })

/** The refusals of a command that names a product. */
const itemRefusals = [
  "product-unknown",
  "product-inactive",
  "price-mismatch",
  "currency-mismatch",
  "too-many-lines",
  "amount-too-large",
] as const

const postOrder = createRoute({
  method: "post",
  path: "/orders",
  summary: "Create a draft order at the catalogue's prices",
  middleware: [jsonBody],
  request: { headers: creationHeaders, body: jsonOf(orderRequest) },
  responses: answersOf(201, orderBody, [
    "customer-unknown",
    "customer-erased",
    "currency-required",
    "discount-not-applicable",
    ...itemRefusals,
  ]),
})

const patchOrder = createRoute({
  method: "patch",
  path: "/orders/{id}",
  summary: "Change address or note (null clears), or the discount codes of a draft",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params: orderParams, body: jsonOf(orderChange) },
  responses: changedUnless(
    "order-closed",
    "order-not-draft",
    "country-fixed",
    "discount-not-applicable",
    "amount-too-large",
  ),
})

const postItem = createRoute({
  method: "post",
  path: "/orders/{id}/items",
  summary: "Add a line to a draft",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params: orderParams, body: jsonOf(itemRequest) },
  responses: changedUnless("order-not-draft", ...itemRefusals),
})

const patchItem = createRoute({
  method: "patch",
  path: "/orders/{id}/items/{line}",
  summary: "Change a line's quantity",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params: lineParams, body: jsonOf(itemChange) },
  responses: changedUnless("order-not-draft", "line-not-found", "amount-too-large"),
})

const deleteItem = createRoute({
  method: "delete",
  path: "/orders/{id}/items/{line}",
  summary: "Remove a line from a draft",
  middleware: [noBody],
  request: { headers: changeHeaders, params: lineParams },
  responses: changedUnless("order-not-draft", "line-not-found", "amount-too-large"),
})

const postConfirm = createRoute({
  method: "post",
  path: "/orders/{id}/confirm",
  summary: "Confirm a draft that has items: its stock is reserved, and what it costs now is final",
  middleware: [optionalJsonBody],
  request: { headers: changeHeaders, params: orderParams, body: optionalJsonOf(confirmation) },
  responses: changedUnless(
    "order-not-draft",
    "order-empty",
    "product-inactive",
    "currency-mismatch",
    "price-mismatch",
    "amount-too-large",
    "discount-not-applicable",
    "shipping-unavailable",
    "insufficient-stock",
  ),
})

const postCancel = createRoute({
  method: "post",
  path: "/orders/{id}/cancel",
  summary: "Cancel a draft, confirmed or paid order; stock and money go back",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params: orderParams, body: jsonOf(cancellation) },
  responses: askedUnless("order-not-cancellable"),
})

/** All routes of orders up to their confirmation, and of their end. */
export function createOrderRoutes(deps: OrderRouteDeps): OpenAPIHono {
  const { executor, newOrderId } = deps
  const change = createChange(deps)
  const routes = new OpenAPIHono()

  routes.openapi(postOrder, (c) => {
    const { customer_id, items, currency, shipping_address, discount_codes, note } = c.req.valid("json")
    const fields: DetailField[] = []
    if (shipping_address !== undefined) fields.push("shipping_address")
    if (note !== undefined) fields.push("note")
    const details = { shippingAddress: shipping_address ?? null, note: note ?? null }
    return respond(c, executor, async (trx) => {
      const orderId = newOrderId()
      const command = {
        type: "CreateOrder",
        orderId,
        customerId: customer_id,
        currency,
        country: shipping_address?.country ?? null,
        discountCodes: discount_codes ?? [],
        items,
        fields,
      } as const
      const result = await createOrder(trx, command, details, contextOf(c, deps))
      return result.ok ? accept(orderDone(result.value, 201, `/orders/${orderId}`)) : result
    })
  })

  routes.openapi(patchOrder, (c) => {
    const { shipping_address, discount_codes, note } = c.req.valid("json")
    const fields: DetailField[] = []
    const details: ChangeOrder["details"] = {}
    const command: UpdateOrder = { type: "UpdateOrder", fields }
    if (shipping_address !== undefined) {
      fields.push("shipping_address")
      details.shippingAddress = shipping_address
      command.country = shipping_address?.country ?? null
    }
    if (discount_codes) command.discountCodes = discount_codes
    if (note !== undefined) {
      fields.push("note")
      details.note = note
    }
    return change(c, { id: c.req.valid("param").id, headers: c.req.valid("header") }, command, { details })
  })

  routes.openapi(postItem, (c) =>
    change(
      c,
      { id: c.req.valid("param").id, headers: c.req.valid("header") },
      { type: "AddItem", item: c.req.valid("json") },
    ),
  )

  routes.openapi(patchItem, (c) => {
    const { line } = c.req.valid("param")
    const { quantity } = c.req.valid("json")
    return change(
      c,
      { id: c.req.valid("param").id, headers: c.req.valid("header") },
      { type: "ChangeItem", line, quantity },
    )
  })

  routes.openapi(deleteItem, (c) => {
    const { line } = c.req.valid("param")
    return change(
      c,
      { id: c.req.valid("param").id, headers: c.req.valid("header") },
      { type: "RemoveItem", line },
    )
  })

  routes.openapi(postConfirm, (c) => {
    const request = { id: c.req.valid("param").id, headers: c.req.valid("header") }
    const expectedTotal = c.req.valid("json").expected_total
    return change(c, request, { type: "ConfirmOrder", expectedTotal })
  })

  routes.openapi(postCancel, (c) => {
    const { reason } = c.req.valid("json")
    return change(
      c,
      { id: c.req.valid("param").id, headers: c.req.valid("header") },
      { type: "CancelOrder", reason },
    )
  })

  return routes
}
