// The commands on the catalogue over HTTP.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Executor } from "../execute/execute.ts"
import { changeHeaders, creationHeaders } from "../http/command-headers.ts"
import { jsonBody } from "../http/json-body.ts"
import { answersOf, done, jsonOf, respond } from "../http/respond.ts"
import { type ProductId, productId } from "../vocabulary/ids.ts"
import { mapAccepted } from "../vocabulary/rejection.ts"
import { productBody, productChange, productRequest, toProductBody } from "./bodies.ts"
import { changeProduct, createProduct } from "./handle.ts"

export type ProductRouteDeps = { executor: Executor; now: () => Date; newProductId: () => ProductId }

const postProduct = createRoute({
  method: "post",
  path: "/products",
  summary: "Create a product; without an id it gets one",
  middleware: [jsonBody],
  request: {
    headers: creationHeaders,
    body: jsonOf(productRequest),
  },
  responses: answersOf(201, productBody, ["product-exists", "amount-too-fine", "amount-too-large"]),
})

const patchProduct = createRoute({
  method: "patch",
  path: "/products/{id}",
  summary: "Change a product; a new price counts for drafts from their next change on",
  middleware: [jsonBody],
  request: {
    headers: changeHeaders,
    params: z.object({ id: productId.openapi({ param: { name: "id", in: "path" } }) }),
    body: jsonOf(productChange),
  },
  responses: answersOf(200, productBody, [
    "product-not-found",
    "version-mismatch",
    "amount-too-fine",
    "amount-too-large",
  ]),
})

/** All routes of products. */
export function createProductRoutes({ executor, now, newProductId }: ProductRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()

  routes.openapi(postProduct, (c) => {
    const request = c.req.valid("json")
    return respond(c, executor, async (trx) => {
      const id = request.id ?? newProductId()
      return mapAccepted(await createProduct(trx, id, request, now()), (row) =>
        done(row.xid, 201, toProductBody(row), `/products/${id}`),
      )
    })
  })

  routes.openapi(patchProduct, (c) => {
    const { id } = c.req.valid("param")
    const change = c.req.valid("json")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await changeProduct(trx, id, change, { ifMatch, now: now() }), (row) =>
        done(row.xid, 200, toProductBody(row)),
      )
    })
  })

  return routes
}
