// One order with everything its page shows: items, customer, payments, refunds and shipments, as one statement that
// builds the JSON. What is shown here is what makes the cached answer stale: see `cache` in projections.ts.
import { createRoute, type OpenAPIHono } from "@hono/zod-openapi"
import { answersOf, demandHeaders, idParams, noQuery } from "../http/parameters.ts"
import type { Reads } from "../http/reads.ts"
import { cacheKeys } from "./cache-keys.ts"
import { lacksOfOrder } from "./lacks.ts"
import { momentText, moneyJson } from "./money.ts"
import { orderBody } from "./order-body.ts"

/** SQL text of a JSON array of what a select gives; empty without rows. */
const listOf = (select: string): string =>
  `array_to_json(array(select row_to_json(one) from (${select}) one))`

const moments = (table: string, ...names: readonly string[]): string =>
  names.map((name) => `${momentText(`${table}.${name}`)} as ${name}`).join(", ")

const amounts = (...names: readonly string[]): string =>
  names.map((name) => `${moneyJson(`o.${name}_minor`, "o.currency")} as ${name}`).join(", ")

const itemsJson = (schema: string): string =>
  listOf(`
    select i.line, i.product_id, i.quantity, coalesce(i.reserved_quantity, 0) as reserved,
      coalesce(i.shipped_quantity, 0) as shipped,
      ${moneyJson("i.unit_price_minor", "o.currency")} as unit_price,
      ${moneyJson("(i.unit_price_minor::numeric * i.quantity)", "o.currency")} as total
    from ${schema}.order_items i
    where i.order_id = o.id and not i.deleted
    order by i.line`)

const paymentsJson = (schema: string): string =>
  listOf(`
    select p.payment, p.status, ${moneyJson("p.amount_minor", "p.currency")} as amount,
      ${moneyJson("p.captured_minor", "p.currency")} as captured,
      ${moneyJson("p.refunded_minor", "p.currency")} as refunded,
      p.provider, p.provider_reference, ${moments("p", "created_at", "updated_at")}
    from ${schema}.payments p
    where p.order_id = o.id and not p.deleted
    order by p.payment`)

const refundsJson = (schema: string): string =>
  listOf(`
    select r.refund, r.payment, r.status, ${moneyJson("r.amount_minor", "r.currency")} as amount, r.reason,
      ${moments("r", "created_at", "updated_at")}
    from ${schema}.refunds r
    where r.order_id = o.id and not r.deleted
    order by r.refund`)

const shipmentsJson = (schema: string): string =>
  listOf(`
    select s.shipment, s.carrier, s.tracking,
      ${listOf(`
        select si.line, i.product_id, si.quantity
        from ${schema}.shipment_items si
        left join ${schema}.order_items i on i.order_id = si.order_id and i.line = si.line and not i.deleted
        where si.order_id = s.order_id and si.shipment = s.shipment and not si.deleted
        order by si.line`)} as items,
      ${moments("s", "created_at", "updated_at", "delivered_at")}
    from ${schema}.shipments s
    where s.order_id = o.id and not s.deleted
    order by s.shipment`)

// A breakdown that another tool has written may be of any shape: jsonpath finds what fits and never fails.
const at = (path: string): string => `jsonb_path_query_first(o.pricing, 'lax ${path}')`
const wholeAt = (path: string): string =>
  `(${at(`${path} ? (@.type() == "number" && @ >= 0 && @ <= 2147483647)`)})::integer`

const weight = '$.shipping.weight_grams ? (@.type() == "string" && @ like_regex "^[0-9]{1,19}$")'

const pricingJson = `
  case when jsonb_typeof(o.pricing) = 'object' then (
    select row_to_json(breakdown) from (
      select ${listOf(`
          select d.value ->> 'id' as id, d.value ->> 'code' as code,
            ${moneyJson("(d.value ->> 'amount_minor')::numeric", "o.currency")} as amount
          from jsonb_path_query(o.pricing, 'lax $.discounts[*]') with ordinality d (value, place)
          where d.value ->> 'id' is not null and d.value ->> 'amount_minor' ~ '^[0-9]{1,19}$'
          order by d.place`)} as discounts,
        case when ${at("$.shipping.type()")} = '"object"' then (
          select row_to_json(one) from (
            select ${at("$.shipping.rule")} #>> '{}' as rule, ${at(weight)} #>> '{}' as weight_grams
          ) one) end as shipping,
        case when ${at("$.tax.type()")} = '"object"' then (
          select row_to_json(one) from (
            select ${at("$.tax.country")} #>> '{}' as country, ${wholeAt("$.tax.basis_points")} as basis_points
          ) one) end as tax
    ) breakdown) end`

const orderText = (schema: string): string => `
  select row_to_json(answer)::text as body, answer.version, null::text as cursor
  from (
    select o.id, o.status, o.version,
      (select row_to_json(customer) from (select o.customer_id as id, c.name, c.email) customer) as customer,
      o.currency, ${itemsJson(schema)} as items,
      ${amounts("subtotal", "discount", "shipping", "tax", "total", "captured", "refunded")},
      ${moneyJson(
        "(case when o.status = 'cancelled' then 0 else greatest(o.total_minor - o.captured_minor, 0) end)",
        "o.currency",
      )} as due,
      coalesce(o.discount_codes, '{}') as discount_codes, ${pricingJson} as pricing,
      ${paymentsJson(schema)} as payments, ${refundsJson(schema)} as refunds,
      ${shipmentsJson(schema)} as shipments,
      o.country, o.shipping_address, o.note, o.cancel_reason,
      ${moments(
        "o",
        "created_at",
        "updated_at",
        "confirmed_at",
        "reserved_until",
        "paid_at",
        "shipped_at",
        "delivered_at",
        "cancelled_at",
      )}
    from ${schema}.orders o
    left join ${schema}.customers c on c.id = o.customer_id and not c.deleted
    where o.id = $1 and not o.deleted
  ) answer`

const getOrder = createRoute({
  method: "get",
  path: "/orders/{id}",
  summary: "An order with its items, customer, payments, refunds and shipments",
  request: { params: idParams, query: noQuery, headers: demandHeaders },
  responses: answersOf(orderBody, ["order-not-found"]),
})

export function addOrderRoute(app: OpenAPIHono, reads: Reads): void {
  app.openapi(getOrder, (c) => {
    const { id } = c.req.valid("param")
    return reads.answer(
      c,
      { name: "order", text: orderText, parameters: [id], lacks: lacksOfOrder },
      { missing: "order-not-found", cacheKey: cacheKeys.order.of(id) },
    )
  })
}
