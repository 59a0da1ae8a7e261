// Lists the orders that fulfil a request's filters, newest first, page by page.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import {
  nextPageOf,
  orderLine,
  orderPage,
  orderTotal,
  pageCursor,
  pageLimit,
  whereAfter,
} from "./order-page.ts"
import { isUsual, orderFilter, orderFilterParameters } from "./order-search.ts"

const orderListBody = z
  .object({
    orders: z.array(orderLine),
    total: z
      .number()
      .int()
      .optional()
      .openapi({ description: "With `count=exact`: how many orders there are on all pages." }),
    next: z.string().nullable().openapi({ description: "Path and query of the next page." }),
  })
  .openapi("OrderList")

const listOrders = createRoute({
  method: "get",
  path: "/orders",
  summary: "Orders, newest first",
  request: {
    query: z.strictObject({
      ...orderFilterParameters,
      count: z
        .enum(["exact"])
        .optional()
        .openapi({ description: "Counts the orders of all pages too, which takes longer." }),
      limit: pageLimit,
      cursor: pageCursor,
    }),
    headers: demandHeaders,
  },
  responses: answersOf(orderListBody),
})

export function addOrderListRoute(app: OpenAPIHono, reads: Reads): void {
  app.openapi(listOrders, (c) => {
    const { count, limit, cursor, ...asked } = c.req.valid("query")
    const filter = orderFilter(asked)
    const conditions = [...filter.conditions]
    whereAfter(filter, cursor)
    const text = (schema: string): string => {
      const page = orderPage(schema, filter)
      const total = count ? `, ${orderTotal(schema, conditions)} as total` : ""
      return `${page.with}
        select (select row_to_json(answer)::text from (select ${page.orders} as orders${total}) answer) as body,
          null::integer as version, ${page.cursor} as cursor`
    }
    return reads.answer(
      c,
      {
        name: isUsual(asked) && !count ? `orders by ${filter.names.join()}` : null,
        text,
        parameters: [...filter.parameters, limit],
      },
      { nextPage: nextPageOf(c.req.url) },
    )
  })
}
