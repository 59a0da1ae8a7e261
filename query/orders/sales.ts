// Sales per quarter of an hour (UTC) and currency: the finest bucket from which every time zone, day, week and
// month can be summed. An order counts in the bucket of its creation.
import type { DerivedModel } from "../cdc/projection.ts"

export const salesByQuarterHour: DerivedModel = {
  name: "sales_by_quarter_hour",
  groupBy: [
    { name: "bucket", type: "timestamptz" },
    { name: "currency", type: "text" },
  ],
  sums: ["orders", "items", "gross_minor", "discount_minor", "cancelled"],
  touchedBy: ["orders", "order_items"],
  contribution: (schema, aggregates) => `
    select date_bin('15 minutes', o.created_at, 'epoch') as bucket, o.currency,
           count(*) filter (where o.status <> 'cancelled') as orders,
           coalesce(sum(i.items) filter (where o.status <> 'cancelled'), 0) as items,
           coalesce(sum(o.subtotal_minor) filter (where o.status <> 'cancelled'), 0) as gross_minor,
           coalesce(sum(o.discount_minor) filter (where o.status <> 'cancelled'), 0) as discount_minor,
           count(*) filter (where o.status = 'cancelled') as cancelled
    from ${schema}.orders o
    left join lateral (
      select sum(i.quantity) as items from ${schema}.order_items i
      where i.order_id = o.id and not i.deleted
    ) i on true
    where not o.deleted ${aggregates ? `and o.id = any(${aggregates})` : ""}
    group by 1, 2`,
  indexes: [],
}
