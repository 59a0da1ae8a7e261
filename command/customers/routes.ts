// The commands on a customer over HTTP.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Executor } from "../execute/execute.ts"
import { changeHeaders, creationHeaders } from "../http/command-headers.ts"
import { jsonBody } from "../http/json-body.ts"
import { answersOf, done, jsonOf, respond } from "../http/respond.ts"
import { type CustomerId, customerId } from "../vocabulary/ids.ts"
import { mapAccepted } from "../vocabulary/rejection.ts"
import { customerBody, customerChange, customerRequest, toCustomerBody } from "./bodies.ts"
import { changeCustomer, createCustomer } from "./handle.ts"

export type CustomerRouteDeps = { executor: Executor; now: () => Date; newCustomerId: () => CustomerId }

const postCustomer = createRoute({
  method: "post",
  path: "/customers",
  summary: "Create a customer; the e-mail address is unique, ignoring case",
  middleware: [jsonBody],
  request: {
    headers: creationHeaders,
    body: jsonOf(customerRequest),
  },
  responses: answersOf(201, customerBody, ["email-taken"]),
})

const patchCustomer = createRoute({
  method: "patch",
  path: "/customers/{id}",
  summary: "Change a customer; null clears phone or address",
  middleware: [jsonBody],
  request: {
    headers: changeHeaders,
    params: z.object({ id: customerId.openapi({ param: { name: "id", in: "path" } }) }),
    body: jsonOf(customerChange),
  },
  responses: answersOf(200, customerBody, [
    "customer-not-found",
    "customer-erased",
    "email-taken",
    "version-mismatch",
  ]),
})

/** All routes of customers. */
export function createCustomerRoutes({ executor, now, newCustomerId }: CustomerRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()

  routes.openapi(postCustomer, (c) => {
    const request = c.req.valid("json")
    return respond(c, executor, async (trx) => {
      const id = newCustomerId()
      return mapAccepted(await createCustomer(trx, id, request, now()), (row) =>
        done(row.xid, 201, toCustomerBody(row), `/customers/${id}`, id),
      )
    })
  })

  routes.openapi(patchCustomer, (c) => {
    const { id } = c.req.valid("param")
    const change = c.req.valid("json")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await changeCustomer(trx, id, change, { ifMatch, now: now() }), (row) =>
        done(row.xid, 200, toCustomerBody(row), undefined, id),
      )
    })
  })

  return routes
}
