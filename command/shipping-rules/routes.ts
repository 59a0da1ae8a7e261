// The commands on shipping rules over HTTP.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Kysely } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { Executor } from "../execute/execute.ts"
import { changeHeaders, creationHeaders } from "../http/command-headers.ts"
import { jsonBody, noBody } from "../http/json-body.ts"
import { rowAnswersOf, showRow } from "../http/questions.ts"
import { answersOf, done, gone, goneUnless, jsonOf, respond } from "../http/respond.ts"
import { mapAccepted } from "../vocabulary/rejection.ts"
import { text } from "../vocabulary/text.ts"
import { shippingRuleBody, shippingRuleChange, shippingRuleRequest, toShippingRuleBody } from "./bodies.ts"
import { changeShippingRule, createShippingRule, deleteShippingRule } from "./handle.ts"

export type ShippingRuleRouteDeps = {
  db: Kysely<CommandDatabase>
  executor: Executor
  now: () => Date
  newShippingRuleId: () => string
}

const params = z.object({ id: text(200).openapi({ param: { name: "id", in: "path" } }) })

const postRule = createRoute({
  method: "post",
  path: "/shipping-rules",
  summary: "Create a shipping rule; of those that carry a basket the cheapest counts",
  middleware: [jsonBody],
  request: {
    headers: creationHeaders,
    body: jsonOf(shippingRuleRequest),
  },
  responses: answersOf(201, shippingRuleBody, ["amount-too-fine", "amount-too-large"]),
})

const patchRule = createRoute({
  method: "patch",
  path: "/shipping-rules/{id}",
  summary: "Change a shipping rule; orders that are confirmed keep their price",
  middleware: [jsonBody],
  request: {
    headers: changeHeaders,
    params,
    body: jsonOf(shippingRuleChange),
  },
  responses: answersOf(200, shippingRuleBody, [
    "shipping-rule-not-found",
    "version-mismatch",
    "amount-too-fine",
    "amount-too-large",
  ]),
})

const deleteRule = createRoute({
  method: "delete",
  path: "/shipping-rules/{id}",
  summary: "Take a shipping rule away; orders that are confirmed keep their price",
  description:
    "Drafts are priced without it from their next change on. A country without a rule is not sent to any more, unless there is no rule at all: then everything is sent for nothing.",
  middleware: [noBody],
  request: {
    headers: changeHeaders,
    params,
  },
  responses: goneUnless(["shipping-rule-not-found", "version-mismatch"]),
})

const getRule = createRoute({
  method: "get",
  path: "/shipping-rules/{id}",
  summary: "Show a shipping rule",
  request: { params },
  responses: rowAnswersOf("The rule.", shippingRuleBody, "shipping-rule-not-found"),
})

/** All routes of shipping rules. */
export function createShippingRuleRoutes(deps: ShippingRuleRouteDeps): OpenAPIHono {
  const { db, executor, now, newShippingRuleId } = deps
  const routes = new OpenAPIHono()

  routes.openapi(postRule, (c) => {
    const request = c.req.valid("json")
    return respond(c, executor, async (trx) => {
      const id = newShippingRuleId()
      return mapAccepted(await createShippingRule(trx, id, request, now()), (row) =>
        done(row.xid, 201, toShippingRuleBody(row), `/shipping-rules/${id}`),
      )
    })
  })

  routes.openapi(patchRule, (c) => {
    const { id } = c.req.valid("param")
    const change = c.req.valid("json")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await changeShippingRule(trx, id, change, { ifMatch, now: now() }), (row) =>
        done(row.xid, 200, toShippingRuleBody(row)),
      )
    })
  })

  routes.openapi(deleteRule, (c) => {
    const { id } = c.req.valid("param")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await deleteShippingRule(trx, id, ifMatch), (xid) => gone(xid))
    })
  })

  routes.openapi(getRule, async (c) => {
    const { id } = c.req.valid("param")
    const row = await db.selectFrom("shipping_rules").selectAll().where("id", "=", id).executeTakeFirst()
    return showRow(c, row && toShippingRuleBody(row), "shipping-rule-not-found")
  })

  return routes
}
