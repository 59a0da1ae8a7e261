// Products with price and stock: one, and those that words of the name find.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idParams, noQuery } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { cacheKeys } from "./cache-keys.ts"
import { idCursor, idPageText } from "./id-page.ts"
import { lacksOfProduct, lacksOfProducts } from "./lacks.ts"
import { momentText, moneyBody, moneyJson } from "./money.ts"
import { createFilter, nextPageOf, pageLimit, where } from "./order-page.ts"
import { hasWords, searchText } from "./words.ts"

const productBody = z
  .object({
    id: z.string(),
    name: z.string(),
    price: moneyBody,
    weight_grams: z.number().int(),
    active: z.boolean(),
    version: z.number().int(),
    created_at: z.string(),
    updated_at: z.string(),
    stock: z
      .object({ on_hand: z.number().int(), reserved: z.number().int(), available: z.number().int() })
      .nullable()
      .openapi({ description: "Null: not kept in stock, never short." }),
  })
  .openapi("Product")

const productListBody = z
  .object({ products: z.array(productBody), next: z.string().nullable() })
  .openapi("ProductList")

const productLine = (schema: string): string => `
  p.id, p.name, ${moneyJson("p.price_minor", "p.currency")} as price, p.weight_grams, p.active, p.version,
  ${momentText("p.created_at")} as created_at, ${momentText("p.updated_at")} as updated_at,
  (select row_to_json(stock) from (
    select s.on_hand, s.reserved, s.on_hand - s.reserved as available
    from ${schema}.inventory s where s.product_id = p.id and not s.deleted
  ) stock) as stock`

const getProduct = createRoute({
  method: "get",
  path: "/products/{id}",
  summary: "A product with price and stock",
  request: { params: idParams, query: noQuery, headers: demandHeaders },
  responses: answersOf(productBody, ["product-not-found"]),
})

const listProducts = createRoute({
  method: "get",
  path: "/products",
  summary: "Products, by id",
  request: {
    query: z.strictObject({
      q: searchText.optional().openapi({ description: "Words, or how they begin, that the name has." }),
      active: z.enum(["true", "false"]).optional(),
      limit: pageLimit,
      cursor: idCursor,
    }),
    headers: demandHeaders,
  },
  responses: answersOf(productListBody),
})

export function addProductRoutes(app: OpenAPIHono, reads: Reads): void {
  app.openapi(getProduct, (c) => {
    const { id } = c.req.valid("param")
    const text = (schema: string): string => `
      select row_to_json(answer)::text as body, answer.version, null::text as cursor
      from (select ${productLine(schema)} from ${schema}.products p where p.id = $1 and not p.deleted) answer`
    return reads.answer(
      c,
      { name: "product", text, parameters: [id], lacks: lacksOfProduct },
      { missing: "product-not-found", cacheKey: cacheKeys.product.of(id) },
    )
  })

  app.openapi(listProducts, (c) => {
    const { q, active, limit, cursor } = c.req.valid("query")
    const filter = createFilter()
    where(filter, "words", q, (value) => hasWords("p.name", value))
    where(filter, "active", active, (value) => `p.active = ${value}::boolean`)
    where(filter, "cursor", cursor, (value) => `p.id > ${value}::text`)
    const most = `$${filter.parameters.length + 1}::integer`
    const text = (schema: string): string =>
      idPageText(
        "products",
        "id",
        `select ${productLine(schema)} from ${schema}.products p
         where ${["not p.deleted", ...filter.conditions].join(" and ")}
         order by p.id limit ${most} + 1`,
        most,
      )
    return reads.answer(
      c,
      {
        name: `products by ${filter.names.join()}`,
        text,
        parameters: [...filter.parameters, limit],
        lacks: lacksOfProducts,
      },
      { nextPage: nextPageOf(c.req.url) },
    )
  })
}
