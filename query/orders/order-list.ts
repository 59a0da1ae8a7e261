// Orders by customer, status and time of creation, newest first, page by page.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idText, moment } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import {
  createFilter,
  nextPageOf,
  orderLine,
  orderPage,
  pageCursor,
  pageLimit,
  where,
  whereAfter,
} from "./order-page.ts"

const orderStatus = z.enum(["draft", "confirmed", "paid", "shipped", "delivered", "cancelled"])

const orderListBody = z
  .object({
    orders: z.array(orderLine),
    next: z.string().nullable().openapi({ description: "Path and query of the next page." }),
  })
  .openapi("OrderList")

const listOrders = createRoute({
  method: "get",
  path: "/orders",
  summary: "Orders, newest first",
  request: {
    query: z.strictObject({
      customer_id: idText.optional(),
      status: orderStatus.optional(),
      from: moment.optional().openapi({ description: "Created at or after." }),
      to: moment.optional().openapi({ description: "Created before." }),
      limit: pageLimit,
      cursor: pageCursor,
    }),
    headers: demandHeaders,
  },
  responses: answersOf(orderListBody),
})

export function addOrderListRoute(app: OpenAPIHono, reads: Reads): void {
  app.openapi(listOrders, (c) => {
    const { customer_id, status, from, to, limit, cursor } = c.req.valid("query")
    const filter = createFilter()
    where(filter, "customer", customer_id, (value) => `o.customer_id = ${value}::text`)
    where(filter, "status", status, (value) => `o.status = ${value}::text`)
    where(filter, "from", from, (value) => `o.created_at >= ${value}::timestamptz`)
    where(filter, "to", to, (value) => `o.created_at < ${value}::timestamptz`)
    whereAfter(filter, cursor)
    const text = (schema: string): string => {
      const page = orderPage(schema, filter)
      return `${page.with}
        select (select row_to_json(answer)::text from (select ${page.orders} as orders) answer) as body,
          null::integer as version, ${page.cursor} as cursor`
    }
    return reads.answer(
      c,
      { name: `orders by ${filter.names.join()}`, text, parameters: [...filter.parameters, limit] },
      { nextPage: nextPageOf(c.req.url) },
    )
  })
}
