// Stock: what is on hand, what confirmed orders wait for, and what is left of it. A product without a row is not kept in
// stock and never short.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idText, noQuery } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { cacheKeys } from "./cache-keys.ts"
import { idCursor, idPageText } from "./id-page.ts"
import { lacksOfStock, lacksOfStocks } from "./lacks.ts"
import { momentText } from "./money.ts"
import { createFilter, nextPageOf, pageLimit, where } from "./order-page.ts"

const stockBody = z
  .object({
    product_id: z.string(),
    on_hand: z.number().int(),
    reserved: z.number().int().openapi({ description: "Part of on_hand that confirmed orders wait for." }),
    available: z.number().int().openapi({ description: "on_hand - reserved" }),
    version: z.number().int(),
    updated_at: z.string(),
  })
  .openapi("Stock")

const stockListBody = z
  .object({ inventory: z.array(stockBody), next: z.string().nullable() })
  .openapi("StockList")

const stockLine = `
  s.product_id, s.on_hand, s.reserved, s.on_hand - s.reserved as available, s.version,
  ${momentText("s.updated_at")} as updated_at`

const getStock = createRoute({
  method: "get",
  path: "/inventory/{product}",
  summary: "The stock of a product",
  request: {
    params: z.object({ product: idText.openapi({ param: { name: "product", in: "path" } }) }),
    query: noQuery,
    headers: demandHeaders,
  },
  responses: answersOf(stockBody, ["stock-not-found"]),
})

const listStock = createRoute({
  method: "get",
  path: "/inventory",
  summary: "Stock of all products that are kept in it, by product",
  request: {
    query: z.strictObject({
      available_below: z
        .string()
        .regex(/^\d{1,15}$/, "must be a whole number")
        .optional()
        .openapi({ description: "Only where less than this is available." }),
      limit: pageLimit,
      cursor: idCursor,
    }),
    headers: demandHeaders,
  },
  responses: answersOf(stockListBody),
})

export function addInventoryRoutes(app: OpenAPIHono, reads: Reads): void {
  app.openapi(getStock, (c) => {
    const { product } = c.req.valid("param")
    const text = (schema: string): string => `
      select row_to_json(answer)::text as body, answer.version, null::text as cursor
      from (select ${stockLine} from ${schema}.inventory s where s.product_id = $1 and not s.deleted) answer`
    return reads.answer(
      c,
      { name: "stock", text, parameters: [product], lacks: lacksOfStock },
      { missing: "stock-not-found", cacheKey: cacheKeys.inventory.of(product) },
    )
  })

  app.openapi(listStock, (c) => {
    const { available_below, limit, cursor } = c.req.valid("query")
    const filter = createFilter()
    where(filter, "low", available_below, (value) => `s.on_hand - s.reserved < ${value}::bigint`)
    where(filter, "cursor", cursor, (value) => `s.product_id > ${value}::text`)
    const most = `$${filter.parameters.length + 1}::integer`
    const text = (schema: string): string =>
      idPageText(
        "inventory",
        "product_id",
        `select ${stockLine} from ${schema}.inventory s
         where ${["not s.deleted", ...filter.conditions].join(" and ")}
         order by s.product_id limit ${most} + 1`,
        most,
      )
    return reads.answer(
      c,
      {
        name: `stocks by ${filter.names.join()}`,
        text,
        parameters: [...filter.parameters, limit],
        lacks: lacksOfStocks,
      },
      { nextPage: nextPageOf(c.req.url) },
    )
  })
}
