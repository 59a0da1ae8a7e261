// One order with everything its page shows: items, customer and payments, as one statement that builds the JSON.
// What is shown here is what makes the cached answer stale: see `cache` in projections.ts.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idParams, noQuery } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { lacksOfOrder } from "./lacks.ts"
import { momentText, moneyBody, moneyJson } from "./money.ts"

const orderBody = z
  .object({
    id: z.string(),
    status: z.enum(["draft", "confirmed", "paid", "shipped", "delivered", "cancelled"]),
    version: z.number().int(),
    customer: z.object({ id: z.string(), name: z.string().nullable(), email: z.string().nullable() }),
    currency: z.string(),
    items: z.array(
      z.object({
        line: z.number().int(),
        product_id: z.string(),
        quantity: z.number().int(),
        unit_price: moneyBody,
        total: moneyBody,
      }),
    ),
    subtotal: moneyBody,
    discount: moneyBody,
    shipping: moneyBody,
    tax: moneyBody,
    total: moneyBody,
    payments: z.array(
      z.object({
        payment: z.number().int(),
        status: z.string(),
        amount: moneyBody,
        provider: z.string(),
        provider_reference: z.string().nullable(),
        created_at: z.string(),
        updated_at: z.string(),
      }),
    ),
    shipping_address: z.record(z.string(), z.unknown()).nullable(),
    note: z.string().nullable(),
    cancel_reason: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    confirmed_at: z.string().nullable(),
    cancelled_at: z.string().nullable(),
  })
  .openapi("Order")

const orderText = (schema: string): string => `
  select row_to_json(answer)::text as body, answer.version, null::text as cursor
  from (
    select o.id, o.status, o.version,
      (select row_to_json(customer) from (select o.customer_id as id, c.name, c.email) customer) as customer,
      o.currency,
      array_to_json(array(
        select row_to_json(item) from (
          select i.line, i.product_id, i.quantity,
            ${moneyJson("i.unit_price_minor", "o.currency")} as unit_price,
            ${moneyJson("(i.unit_price_minor::numeric * i.quantity)", "o.currency")} as total
          from ${schema}.order_items i
          where i.order_id = o.id and not i.deleted
          order by i.line
        ) item
      )) as items,
      ${moneyJson("o.subtotal_minor", "o.currency")} as subtotal,
      ${moneyJson("o.discount_minor", "o.currency")} as discount,
      ${moneyJson("o.shipping_minor", "o.currency")} as shipping,
      ${moneyJson("o.tax_minor", "o.currency")} as tax,
      ${moneyJson("o.total_minor", "o.currency")} as total,
      array_to_json(array(
        select row_to_json(paid) from (
          select p.payment, p.status, ${moneyJson("p.amount_minor", "p.currency")} as amount,
            p.provider, p.provider_reference,
            ${momentText("p.created_at")} as created_at, ${momentText("p.updated_at")} as updated_at
          from ${schema}.payments p
          where p.order_id = o.id and not p.deleted
          order by p.payment
        ) paid
      )) as payments,
      o.shipping_address, o.note, o.cancel_reason,
      ${momentText("o.created_at")} as created_at, ${momentText("o.updated_at")} as updated_at,
      ${momentText("o.confirmed_at")} as confirmed_at, ${momentText("o.cancelled_at")} as cancelled_at
    from ${schema}.orders o
    left join ${schema}.customers c on c.id = o.customer_id and not c.deleted
    where o.id = $1 and not o.deleted
  ) answer`

const getOrder = createRoute({
  method: "get",
  path: "/orders/{id}",
  summary: "An order with its items, customer and payments",
  request: { params: idParams, query: noQuery, headers: demandHeaders },
  responses: answersOf(orderBody, ["order-not-found"]),
})

export function addOrderRoute(app: OpenAPIHono, reads: Reads): void {
  app.openapi(getOrder, (c) => {
    const { id } = c.req.valid("param")
    return reads.answer(
      c,
      { name: "order", text: orderText, parameters: [id], lacks: lacksOfOrder },
      { missing: "order-not-found", cacheKey: `order:${id}` },
    )
  })
}
