// The sums in which sales are counted, per order: the same sums wherever orders are grouped. A cancelled order counts as
// cancelled and not as sold; the amounts that were really paid and given back still count.

/** Names of the sums, for a derived model. */
export const salesSums = [
  "orders",
  "items",
  "gross_minor",
  "discount_minor",
  "cancelled",
  "captured_minor",
  "refunded_minor",
  "paid",
  "refunded",
] as const

const counted = "o.status <> 'cancelled'"
const sum = (value: string, of = "true"): string => `coalesce(sum(${value}) filter (where ${of}), 0)`

/** SQL text of the sums, each with its name, grouped by `groups`. */
export const salesOfOrders = (
  schema: string,
  aggregates: string | null,
  groups: readonly string[],
): string => `
  select ${groups.join(", ")},
    count(*) filter (where ${counted}) as orders,
    ${sum("i.items", counted)} as items,
    ${sum("o.subtotal_minor", counted)} as gross_minor,
    ${sum("o.discount_minor", counted)} as discount_minor,
    count(*) filter (where not ${counted}) as cancelled,
    ${sum("o.captured_minor")} as captured_minor,
    ${sum("o.refunded_minor")} as refunded_minor,
    count(*) filter (where o.captured_minor > 0) as paid,
    count(*) filter (where o.refunded_minor > 0) as refunded
  from ${schema}.orders o
  left join lateral (
    select sum(i.quantity) as items from ${schema}.order_items i
    where i.order_id = o.id and not i.deleted
  ) i on true
  where not o.deleted ${aggregates ? `and o.id = any(${aggregates})` : ""}
  group by ${groups.map((_, index) => index + 1).join(", ")}`

/** SQL text of the quarter of an hour (UTC) in which an order was created. */
export const bucketOf = (order: string): string => `date_bin('15 minutes', ${order}.created_at, 'epoch')`
