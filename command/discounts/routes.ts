// The commands on discounts over HTTP. A discount cannot be deleted: a code that was used stays taken, and its uses
// stay counted. `active: false` ends a discount.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Kysely } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { Executor } from "../execute/execute.ts"
import { changeHeaders, creationHeaders } from "../http/command-headers.ts"
import { jsonBody } from "../http/json-body.ts"
import { rowAnswersOf, showRow } from "../http/questions.ts"
import { answersOf, done, jsonOf, respond } from "../http/respond.ts"
import { mapAccepted } from "../vocabulary/rejection.ts"
import { text } from "../vocabulary/text.ts"
import { discountBody, discountChange, discountRequest, toDiscountBody } from "./bodies.ts"
import { changeDiscount, createDiscount } from "./handle.ts"

export type DiscountRouteDeps = {
  db: Kysely<CommandDatabase>
  executor: Executor
  now: () => Date
  newDiscountId: () => string
}

const params = z.object({ id: text(200).openapi({ param: { name: "id", in: "path" } }) })
const refusals = ["discount-inconsistent", "amount-too-fine", "amount-too-large"] as const

const postDiscount = createRoute({
  method: "post",
  path: "/discounts",
  summary: "Create a discount: a percentage or an amount, for whatever it names",
  middleware: [jsonBody],
  request: { headers: creationHeaders, body: jsonOf(discountRequest) },
  responses: answersOf(201, discountBody, [
    "customer-unknown",
    "customer-erased",
    "product-unknown",
    "discount-code-taken",
    ...refusals,
  ]),
})

const patchDiscount = createRoute({
  method: "patch",
  path: "/discounts/{id}",
  summary: "Change a discount; orders that are confirmed keep theirs",
  middleware: [jsonBody],
  request: {
    headers: changeHeaders,
    params,
    body: jsonOf(discountChange),
  },
  responses: answersOf(200, discountBody, ["discount-not-found", "version-mismatch", ...refusals]),
})

const getDiscount = createRoute({
  method: "get",
  path: "/discounts/{id}",
  summary: "Show a discount and how often it was used",
  request: { params },
  responses: rowAnswersOf("The discount.", discountBody, "discount-not-found"),
})

/** All routes of discounts. */
export function createDiscountRoutes({ db, executor, now, newDiscountId }: DiscountRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()

  routes.openapi(postDiscount, (c) => {
    const request = c.req.valid("json")
    return respond(c, executor, async (trx) => {
      const id = newDiscountId()
      return mapAccepted(await createDiscount(trx, id, request, now()), (row) =>
        done(row.xid, 201, toDiscountBody(row), `/discounts/${id}`),
      )
    })
  })

  routes.openapi(patchDiscount, (c) => {
    const { id } = c.req.valid("param")
    const change = c.req.valid("json")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await changeDiscount(trx, id, change, { ifMatch, now: now() }), (row) =>
        done(row.xid, 200, toDiscountBody(row)),
      )
    })
  })

  routes.openapi(getDiscount, async (c) => {
    const { id } = c.req.valid("param")
    const row = await db.selectFrom("discounts").selectAll().where("id", "=", id).executeTakeFirst()
    return showRow(c, row && toDiscountBody(row), "discount-not-found")
  })

  return routes
}
