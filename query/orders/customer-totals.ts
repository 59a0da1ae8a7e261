// What each customer has ordered so far, per currency: the totals beside the customer's order history.
import type { DerivedModel } from "../cdc/projection.ts"

export const customerTotals: DerivedModel = {
  name: "customer_totals",
  groupBy: [
    { name: "customer_id", type: "text" },
    { name: "currency", type: "text" },
  ],
  sums: ["orders", "gross_minor", "discount_minor", "total_minor", "cancelled"],
  touchedBy: ["orders"],
  contribution: (schema, aggregates) => `
    select o.customer_id, o.currency,
           count(*) filter (where o.status <> 'cancelled') as orders,
           coalesce(sum(o.subtotal_minor) filter (where o.status <> 'cancelled'), 0) as gross_minor,
           coalesce(sum(o.discount_minor) filter (where o.status <> 'cancelled'), 0) as discount_minor,
           coalesce(sum(o.total_minor) filter (where o.status <> 'cancelled'), 0) as total_minor,
           count(*) filter (where o.status = 'cancelled') as cancelled
    from ${schema}.orders o
    where not o.deleted ${aggregates ? `and o.id = any(${aggregates})` : ""}
    group by 1, 2`,
  indexes: [],
}
