// Quotes over HTTP. A quote is no command: it writes nothing, so its answer has no token, and an idempotency key would
// change nothing.
import { createRoute, OpenAPIHono } from "@hono/zod-openapi"
import type { Kysely } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { jsonBody } from "../http/json-body.ts"
import { questionAnswersOf, refuseQuestion } from "../http/questions.ts"
import { jsonOf } from "../http/respond.ts"
import { quoteBody, quoteRequest, toQuoteBody } from "./bodies.ts"
import { quote } from "./quote.ts"

export type QuoteRouteDeps = { db: Kysely<CommandDatabase>; now: () => Date }

const postQuote = createRoute({
  method: "post",
  path: "/quotes",
  summary: "Say what a basket would cost now, without an order",
  middleware: [jsonBody],
  request: { body: jsonOf(quoteRequest) },
  responses: questionAnswersOf("The price that an order of the basket would get when confirmed.", quoteBody, [
    "customer-unknown",
    "customer-erased",
    "product-unknown",
    "product-inactive",
    "price-mismatch",
    "currency-mismatch",
    "amount-too-large",
    "discount-not-applicable",
    "shipping-unavailable",
  ]),
})

/** All routes of quotes. */
export function createQuoteRoutes({ db, now }: QuoteRouteDeps): OpenAPIHono {
  const routes = new OpenAPIHono()

  routes.openapi(postQuote, async (c) => {
    const { customer_id, items, currency, country, discount_codes } = c.req.valid("json")
    const request = {
      customerId: customer_id,
      currency,
      country: country ?? null,
      codes: discount_codes ?? [],
      items,
    }
    const result = await quote(db, request, now())
    return result.ok ? Response.json(toQuoteBody(result.value)) : refuseQuestion(c, result)
  })

  return routes
}
