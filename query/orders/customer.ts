// A customer: the page with what they have ordered so far per currency, and the history of their orders.
// Totals count every order that is not cancelled; cancelled ones are counted apart.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idParams, noQuery } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { cacheKeys } from "./cache-keys.ts"
import { lacksOfCustomer } from "./lacks.ts"
import { momentText, moneyBody, moneyJson } from "./money.ts"
import {
  createFilter,
  type Filter,
  nextPageOf,
  orderLine,
  orderPage,
  pageCursor,
  pageLimit,
  where,
  whereAfter,
} from "./order-page.ts"

const totals = z
  .array(
    z.object({
      currency: z.string(),
      orders: z.number().int(),
      gross: moneyBody,
      discount: moneyBody,
      total: moneyBody.openapi({ description: "What the orders come to, with shipping and tax." }),
      cancelled: z.number().int(),
      captured: moneyBody.openapi({ description: "Paid, for cancelled orders too." }),
      refunded: moneyBody,
      lifetime_value: moneyBody.openapi({ description: "captured - refunded" }),
    }),
  )
  .openapi("CustomerTotals")

const customerBody = z
  .object({
    id: z.string(),
    name: z.string(),
    email: z.string(),
    phone: z.string().nullable(),
    address: z.record(z.string(), z.unknown()).nullable(),
    version: z.number().int(),
    created_at: z.string(),
    updated_at: z.string(),
    erased_at: z.string().nullable().openapi({
      description: "When personal data was erased; from then on name and e-mail address stand for nobody.",
    }),
    totals,
    last_orders: z.array(orderLine).openapi({ description: "Five at most, newest first." }),
    favourite_products: z
      .array(z.object({ product_id: z.string(), orders: z.number().int(), items: z.number().int() }))
      .openapi({ description: "Five at most, by how many of it were ordered." }),
  })
  .openapi("Customer")

const customerOrdersBody = z
  .object({
    customer: z.object({ id: z.string(), name: z.string(), email: z.string() }),
    totals,
    orders: z.array(orderLine),
    next: z.string().nullable(),
  })
  .openapi("CustomerOrders")

const totalsJson = (schema: string, customerId: string): string => `array_to_json(array(
  select row_to_json(one) from (
    select t.currency, t.orders,
      ${moneyJson("t.gross_minor", "t.currency")} as gross,
      ${moneyJson("t.discount_minor", "t.currency")} as discount,
      ${moneyJson("t.total_minor", "t.currency")} as total,
      t.cancelled,
      ${moneyJson("t.captured_minor", "t.currency")} as captured,
      ${moneyJson("t.refunded_minor", "t.currency")} as refunded,
      ${moneyJson("(t.captured_minor - t.refunded_minor)", "t.currency")} as lifetime_value
    from ${schema}.customer_totals t
    where t.customer_id = ${customerId} and (t.orders <> 0 or t.cancelled <> 0)
    order by t.currency
  ) one
))`

const profileLines = 5

const lastOrders: Filter = { conditions: ["o.customer_id = $1"], parameters: [null], names: [] }

const customerText = (schema: string): string => {
  const page = orderPage(schema, lastOrders)
  return `
  ${page.with}
  select row_to_json(answer)::text as body, answer.version, null::text as cursor
  from (
    select c.id, c.name, c.email, c.phone, c.address, c.version,
      ${momentText("c.created_at")} as created_at, ${momentText("c.updated_at")} as updated_at,
      ${momentText("c.erased_at")} as erased_at,
      ${totalsJson(schema, "c.id")} as totals,
      ${page.orders} as last_orders,
      array_to_json(array(
        select row_to_json(one) from (
          select f.product_id, f.orders, f.items from ${schema}.customer_products f
          where f.customer_id = $1 order by f.items desc, f.product_id limit $2::integer
        ) one
      )) as favourite_products
    from ${schema}.customers c
    where c.id = $1 and not c.deleted
  ) answer`
}

const getCustomer = createRoute({
  method: "get",
  path: "/customers/{id}",
  summary: "A customer with lifetime value, last orders and favourite products",
  request: { params: idParams, query: noQuery, headers: demandHeaders },
  responses: answersOf(customerBody, ["customer-not-found"]),
})

const listCustomerOrders = createRoute({
  method: "get",
  path: "/customers/{id}/orders",
  summary: "A customer's orders, newest first, and totals",
  request: {
    params: idParams,
    query: z.strictObject({ limit: pageLimit, cursor: pageCursor }),
    headers: demandHeaders,
  },
  responses: answersOf(customerOrdersBody, ["customer-not-found"]),
})

export function addCustomerRoutes(app: OpenAPIHono, reads: Reads): void {
  app.openapi(getCustomer, (c) => {
    const { id } = c.req.valid("param")
    return reads.answer(
      c,
      { name: "customer", text: customerText, parameters: [id, profileLines], lacks: lacksOfCustomer },
      { missing: "customer-not-found", cacheKey: cacheKeys.customer.of(id) },
    )
  })

  app.openapi(listCustomerOrders, (c) => {
    const { id } = c.req.valid("param")
    const { limit, cursor } = c.req.valid("query")
    const filter = createFilter()
    where(filter, "customer", id, (value) => `o.customer_id = ${value}::text`)
    whereAfter(filter, cursor)
    const text = (schema: string): string => {
      const page = orderPage(schema, filter)
      return `${page.with}
        select (
          select row_to_json(answer)::text from (
            select (select row_to_json(one) from (select c.id, c.name, c.email) one) as customer,
              ${totalsJson(schema, "c.id")} as totals, ${page.orders} as orders
          ) answer
        ) as body, null::integer as version, ${page.cursor} as cursor
        from ${schema}.customers c
        where c.id = $1::text and not c.deleted`
    }
    return reads.answer(
      c,
      { name: `orders of ${filter.names.join()}`, text, parameters: [...filter.parameters, limit] },
      { missing: "customer-not-found", nextPage: nextPageOf(c.req.url) },
    )
  })
}
