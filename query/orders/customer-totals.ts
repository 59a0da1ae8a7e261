// Each customer's totals per currency (ordered and paid so far), and the products that the customer orders: the profile
// beside the customer's order history.
import type { DerivedModel, RecomputedModel } from "../cdc/projection/projection.ts"
import { bucketOf } from "./sales-sums.ts"

export const customerTotals: DerivedModel = {
  name: "customer_totals",
  groupBy: [
    { name: "customer_id", type: "text" },
    { name: "currency", type: "text" },
  ],
  sums: [
    "orders",
    "gross_minor",
    "discount_minor",
    "total_minor",
    "cancelled",
    "captured_minor",
    "refunded_minor",
  ],
  touchedBy: ["orders"],
  contribution: (schema, aggregates) => `
    select o.customer_id, o.currency,
           count(*) filter (where o.status <> 'cancelled') as orders,
           coalesce(sum(o.subtotal_minor) filter (where o.status <> 'cancelled'), 0) as gross_minor,
           coalesce(sum(o.discount_minor) filter (where o.status <> 'cancelled'), 0) as discount_minor,
           coalesce(sum(o.total_minor) filter (where o.status <> 'cancelled'), 0) as total_minor,
           count(*) filter (where o.status = 'cancelled') as cancelled,
           coalesce(sum(o.captured_minor), 0) as captured_minor,
           coalesce(sum(o.refunded_minor), 0) as refunded_minor
    from ${schema}.orders o
    where not o.deleted ${aggregates ? `and o.id = any(${aggregates})` : ""}
    group by 1, 2`,
  indexes: [],
}

/** How much of each product a customer has ordered; cancelled orders do not count. */
export const customerProducts: DerivedModel = {
  name: "customer_products",
  groupBy: [
    { name: "customer_id", type: "text" },
    { name: "product_id", type: "text" },
  ],
  sums: ["orders", "items"],
  touchedBy: ["orders", "order_items"],
  contribution: (schema, aggregates) => `
    select o.customer_id, i.product_id, count(distinct o.id) as orders, coalesce(sum(i.quantity), 0) as items
    from ${schema}.orders o
    join ${schema}.order_items i on i.order_id = o.id and not i.deleted and i.product_id is not null
    where not o.deleted and o.status <> 'cancelled' ${aggregates ? `and o.id = any(${aggregates})` : ""}
    group by 1, 2`,
  indexes: ["(customer_id, items desc, product_id)"],
}

/** The bucket of each customer's first order that is not cancelled: it says which cohort the customer belongs to. */
export const firstOrders: RecomputedModel = {
  name: "first_orders",
  key: [{ name: "customer_id", type: "text" }],
  columns: [{ name: "bucket", type: "timestamptz" }],
  touchedBy: ["orders"],
  entities: (schema, aggregates) =>
    `select o.customer_id from ${schema}.orders o where o.id = any(${aggregates}) and not o.deleted`,
  // The index of a customer's orders finds the first order, however many orders the customer has.
  rows: (schema, entities) =>
    entities === null
      ? `select o.customer_id, min(${bucketOf("o")}) as bucket from ${schema}.orders o
         where not o.deleted and o.status <> 'cancelled' group by 1`
      : `select wanted.customer_id, first.bucket
         from (select distinct unnest(${entities}) as customer_id) wanted
         cross join lateral (
           select ${bucketOf("o")} as bucket from ${schema}.orders o
           where o.customer_id = wanted.customer_id and not o.deleted and o.status <> 'cancelled'
           order by o.created_at, o.id limit 1
         ) first`,
  indexes: ["(bucket)"],
}
