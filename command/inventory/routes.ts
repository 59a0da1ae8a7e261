// The commands on a product's stock over HTTP. Stock has a version of its own, which reservations raise too.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Executor } from "../execute/execute.ts"
import { changeHeaders } from "../http/command-headers.ts"
import { jsonBody, noBody } from "../http/json-body.ts"
import { answersOf, done, gone, goneUnless, jsonOf, respond } from "../http/respond.ts"
import { productId } from "../vocabulary/ids.ts"
import { mapAccepted } from "../vocabulary/rejection.ts"
import { stockBody, stockChange, stockRequest, toStockBody } from "./bodies.ts"
import { adjustStock, removeStock, setStock } from "./handle.ts"

export type StockRouteDeps = { executor: Executor; now: () => Date }

const params = z.object({ id: productId.openapi({ param: { name: "id", in: "path" } }) })

const refusals = ["product-not-found", "version-mismatch", "stock-below-reserved"] as const

const putStock = createRoute({
  method: "put",
  path: "/products/{id}/stock",
  summary: "Say how much of a product is on hand, as after counting it",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params, body: jsonOf(stockRequest) },
  responses: answersOf(200, stockBody, refusals),
})

const patchStock = createRoute({
  method: "patch",
  path: "/products/{id}/stock",
  summary: "Add to a product's stock or take away from it",
  middleware: [jsonBody],
  request: { headers: changeHeaders, params, body: jsonOf(stockChange) },
  responses: answersOf(200, stockBody, [...refusals, "stock-not-kept", "amount-too-large"]),
})

const deleteStock = createRoute({
  method: "delete",
  path: "/products/{id}/stock",
  summary: "Keep a product in stock no more, so that it is never short",
  description:
    "Refused while anything of it is reserved. Orders confirmed from now on reserve none of it, and take none if stock is kept again later.",
  middleware: [noBody],
  request: { headers: changeHeaders, params },
  responses: goneUnless([...refusals, "stock-not-kept"]),
})

/** All routes of stock. */
export function createStockRoutes({ executor, now }: StockRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()

  routes.openapi(putStock, (c) => {
    const { id } = c.req.valid("param")
    const onHand = BigInt(c.req.valid("json").on_hand)
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await setStock(trx, id, onHand, ifMatch, now()), (row) =>
        done(row.xid, 200, toStockBody(row)),
      )
    })
  })

  routes.openapi(patchStock, (c) => {
    const { id } = c.req.valid("param")
    const delta = BigInt(c.req.valid("json").adjust)
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await adjustStock(trx, id, delta, ifMatch, now()), (row) =>
        done(row.xid, 200, toStockBody(row)),
      )
    })
  })

  routes.openapi(deleteStock, (c) => {
    const { id } = c.req.valid("param")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await removeStock(trx, id, ifMatch), (xid) => gone(xid))
    })
  })

  return routes
}
