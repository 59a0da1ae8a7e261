// The commands on tax rates over HTTP. A country without a rate is not taxed.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type { Kysely } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { Executor } from "../execute/execute.ts"
import { changeHeaders, creationHeaders } from "../http/command-headers.ts"
import { jsonBody, noBody } from "../http/json-body.ts"
import { rowAnswersOf, showRow } from "../http/questions.ts"
import { answersOf, done, gone, goneUnless, jsonOf, respond } from "../http/respond.ts"
import { countryCode } from "../vocabulary/address.ts"
import { accept, mapAccepted } from "../vocabulary/rejection.ts"
import { taxRateBody, taxRateChange, taxRateRequest, toTaxRateBody } from "./bodies.ts"
import { taxRates } from "./handle.ts"

export type TaxRateRouteDeps = { db: Kysely<CommandDatabase>; executor: Executor; now: () => Date }

const params = z.object({ country: countryCode.openapi({ param: { name: "country", in: "path" } }) })

const postRate = createRoute({
  method: "post",
  path: "/tax-rates",
  summary: "Tax what goes to a country",
  middleware: [jsonBody],
  request: { headers: creationHeaders, body: jsonOf(taxRateRequest) },
  responses: answersOf(201, taxRateBody, ["tax-rate-exists"]),
})

const patchRate = createRoute({
  method: "patch",
  path: "/tax-rates/{country}",
  summary: "Change a country's tax rate; orders that are confirmed keep theirs",
  middleware: [jsonBody],
  request: {
    headers: changeHeaders,
    params,
    body: jsonOf(taxRateChange),
  },
  responses: answersOf(200, taxRateBody, ["tax-rate-not-found", "version-mismatch"]),
})

const deleteRate = createRoute({
  method: "delete",
  path: "/tax-rates/{country}",
  summary: "Stop taxing what goes to a country; orders that are confirmed keep their tax",
  description: "Drafts are priced without it from their next change on.",
  middleware: [noBody],
  request: {
    headers: changeHeaders,
    params,
  },
  responses: goneUnless(["tax-rate-not-found", "version-mismatch"]),
})

const getRate = createRoute({
  method: "get",
  path: "/tax-rates/{country}",
  summary: "Show a country's tax rate",
  request: { params },
  responses: rowAnswersOf("The rate.", taxRateBody, "tax-rate-not-found"),
})

/** All routes of tax rates. */
export function createTaxRateRoutes({ db, executor, now }: TaxRateRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()

  routes.openapi(postRate, (c) => {
    const rate = c.req.valid("json")
    return respond(c, executor, async (trx) => {
      const row = await taxRates.create(trx, rate, now())
      return accept(done(row.xid, 201, toTaxRateBody(row), `/tax-rates/${rate.country}`))
    })
  })

  routes.openapi(patchRate, (c) => {
    const { country } = c.req.valid("param")
    const { basis_points } = c.req.valid("json")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(
        await taxRates.change(trx, country, { ifMatch, now: now() }, () => accept({ basis_points })),
        (row) => done(row.xid, 200, toTaxRateBody(row)),
      )
    })
  })

  routes.openapi(deleteRate, (c) => {
    const { country } = c.req.valid("param")
    const ifMatch = c.req.valid("header")["if-match"]
    return respond(c, executor, async (trx) => {
      return mapAccepted(await taxRates.remove(trx, country, ifMatch), (xid) => gone(xid))
    })
  })

  routes.openapi(getRate, async (c) => {
    const { country } = c.req.valid("param")
    const row = await db.selectFrom("tax_rates").selectAll().where("country", "=", country).executeTakeFirst()
    return showRow(c, row && toTaxRateBody(row), "tax-rate-not-found")
  })

  return routes
}
