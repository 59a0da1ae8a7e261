// Sales of products: the sales of one product per period, and the products that sell best over a range.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, currencyCode, demandHeaders, idParams, moment } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { analyticsBody, inTimeZone, periodParameters, periodValues } from "./analytics.ts"
import { rangeOf } from "./analytics-range.ts"
import { analyticsText, rateText } from "./analytics-sql.ts"
import { momentText, moneyBody, moneyJson } from "./money.ts"
import { pageLimit } from "./order-page.ts"

const topBody = z
  .object({
    from: z.string(),
    to: z.string(),
    by: z.enum(["gross", "items"]),
    products: z.array(
      z.object({
        product_id: z.string(),
        currency: z.string(),
        orders: z.number().int(),
        items: z.number().int(),
        gross: moneyBody,
        cancelled: z.number().int().openapi({ description: "Cancelled orders with this product." }),
        cancelled_items: z.number().int(),
        cancellation_rate: z.string().nullable(),
      }),
    ),
  })
  .openapi("TopProducts")

const topText =
  (by: "gross" | "items") =>
  (schema: string): string =>
    `
  select row_to_json(answer)::text as body, null::integer as version, null::text as cursor
  from (
    select ${momentText("$1::timestamptz")} as "from", ${momentText("$2::timestamptz")} as "to", '${by}' as by,
      array_to_json(array(
        select row_to_json(line) from (
          select product_id, currency, orders, items, ${moneyJson("gross", "currency")} as gross, cancelled,
            cancelled_items, ${rateText("cancelled", "(orders + cancelled)")} as cancellation_rate
          from (
            select product_id, currency, sum(orders) as orders, sum(items) as items, sum(gross_minor) as gross,
              sum(cancelled) as cancelled, sum(cancelled_items) as cancelled_items,
              row_number() over (
                partition by currency order by sum(${by === "gross" ? "gross_minor" : "items"}) desc, product_id
              ) as place
            from ${schema}.sales_by_product
            where bucket >= $1::timestamptz and bucket < $2::timestamptz
              and ($3::text is null or currency = $3::text)
            group by 1, 2
          ) sold where place <= $4::integer order by currency, place
        ) line
      )) as products
  ) answer`

const getTopProducts = createRoute({
  method: "get",
  path: "/analytics/products",
  summary: "The products that sell best, per currency",
  request: {
    query: z.strictObject({
      from: moment
        .optional()
        .openapi({ description: "Start, on a quarter of an hour. Default range: 30 days." }),
      to: moment.optional().openapi({ description: "End, exclusive. Default: the end of today." }),
      currency: currencyCode.optional(),
      by: z.enum(["gross", "items"]).default("gross"),
      limit: pageLimit.openapi({ description: "Most products per currency." }),
    }),
    headers: demandHeaders,
  },
  responses: answersOf(topBody),
})

const getProductSales = createRoute({
  method: "get",
  path: "/products/{id}/sales",
  summary: "Sales of a product, per period and currency",
  request: { params: idParams, query: z.strictObject(periodParameters), headers: demandHeaders },
  responses: answersOf(analyticsBody),
})

export function addProductSalesRoutes(app: OpenAPIHono, reads: Reads, now: () => number): void {
  app.openapi(getTopProducts, (c) => {
    const { currency, by, limit, ...asked } = c.req.valid("query")
    const { from, to } = rangeOf("daily", "UTC", asked, new Date(now()))
    const parameters = [from.toISOString(), to.toISOString(), currency ?? null, limit]
    return reads.answer(c, { name: null, text: topText(by), parameters }, {})
  })

  app.openapi(getProductSales, (c) => {
    const { id } = c.req.valid("param")
    const { period, currency, time_zone, compare, ...asked } = c.req.valid("query")
    const range = rangeOf(period, time_zone, asked, new Date(now()))
    return inTimeZone(
      reads.answer(
        c,
        {
          name: null,
          text: analyticsText(period, "product", compare !== undefined),
          parameters: [...periodValues(period, time_zone, range, currency, compare), 1, id],
        },
        {},
      ),
    )
  })
}
