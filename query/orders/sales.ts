// Sales per quarter of an hour (UTC): a bucket so fine that every time zone, day, week and month can be summed from it.
// An order counts in the bucket of its creation. One model has the dimensions of few values (status, country), the other
// models have one dimension each, so that no model has a row per combination.
import type { DerivedModel } from "../cdc/projection/projection.ts"
import { bucketOf, salesOfOrders, salesSums } from "./sales-sums.ts"

const bucketAndCurrency = [
  { name: "bucket", type: "timestamptz" },
  { name: "currency", type: "text" },
] as const

/** The country of a collected order is the empty text, because groups are never null. */
export const salesByQuarterHour: DerivedModel = {
  name: "sales_by_quarter_hour",
  groupBy: [...bucketAndCurrency, { name: "status", type: "text" }, { name: "country", type: "text" }],
  sums: salesSums,
  touchedBy: ["orders", "order_items"],
  contribution: (schema, aggregates) =>
    salesOfOrders(schema, aggregates, [
      `${bucketOf("o")} as bucket`,
      "o.currency",
      "o.status",
      "coalesce(o.country, '') as country",
    ]),
  indexes: [],
}

export const salesByCustomer: DerivedModel = {
  name: "sales_by_customer",
  groupBy: [...bucketAndCurrency, { name: "customer_id", type: "text" }],
  sums: salesSums,
  touchedBy: ["orders", "order_items"],
  contribution: (schema, aggregates) =>
    salesOfOrders(schema, aggregates, [`${bucketOf("o")} as bucket`, "o.currency", "o.customer_id"]),
  indexes: [],
}

/** A discount belongs to an order and not to a product, so the only amount is the gross amount. */
export const salesByProduct: DerivedModel = {
  name: "sales_by_product",
  groupBy: [...bucketAndCurrency, { name: "product_id", type: "text" }],
  sums: ["orders", "items", "gross_minor", "cancelled", "cancelled_items"],
  touchedBy: ["orders", "order_items"],
  contribution: (schema, aggregates) => `
    select ${bucketOf("o")} as bucket, o.currency, i.product_id,
      count(distinct o.id) filter (where o.status <> 'cancelled') as orders,
      coalesce(sum(i.quantity) filter (where o.status <> 'cancelled'), 0) as items,
      coalesce(sum(i.unit_price_minor::numeric * i.quantity) filter (where o.status <> 'cancelled'), 0) as gross_minor,
      count(distinct o.id) filter (where o.status = 'cancelled') as cancelled,
      coalesce(sum(i.quantity) filter (where o.status = 'cancelled'), 0) as cancelled_items
    from ${schema}.orders o
    join ${schema}.order_items i on i.order_id = o.id and not i.deleted and i.product_id is not null
    where not o.deleted ${aggregates ? `and o.id = any(${aggregates})` : ""}
    group by 1, 2, 3`,
  indexes: ["(product_id, bucket)"],
}
