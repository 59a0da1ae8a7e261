// Finds a customer by e-mail address, ignoring case. The address is in the query string, and no log of the services holds
// query strings. Answers are not cached, so no address becomes part of a cache key.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { momentText } from "./money.ts"

const foundBody = z
  .object({
    customers: z
      .array(
        z.object({
          id: z.string(),
          name: z.string(),
          email: z.string(),
          version: z.number().int(),
          created_at: z.string(),
          updated_at: z.string(),
        }),
      )
      .openapi({ description: "One customer, or none." }),
  })
  .openapi("FoundCustomers")

const foundText = (schema: string): string => `
  select json_build_object('customers', array_to_json(array(
    select row_to_json(one) from (
      select c.id, c.name, c.email, c.version,
        ${momentText("c.created_at")} as created_at, ${momentText("c.updated_at")} as updated_at
      from ${schema}.customers c
      where lower(c.email) = lower($1::text) and not c.deleted and c.erased_at is null
    ) one
  )))::text as body, null::integer as version, null::text as cursor`

const lookUpCustomer = createRoute({
  method: "get",
  path: "/customers",
  summary: "The customer with this e-mail address, ignoring case",
  request: { query: z.strictObject({ email: z.email().max(254) }), headers: demandHeaders },
  responses: answersOf(foundBody),
})

export function addCustomerLookUpRoute(app: OpenAPIHono, reads: Reads): void {
  app.openapi(lookUpCustomer, (c) => {
    const { email } = c.req.valid("query")
    const lacks = () => "parked.table_name = 'customers' and $1::text is not null"
    return reads.answer(c, { name: "customer by e-mail", text: foundText, parameters: [email], lacks }, {})
  })
}
