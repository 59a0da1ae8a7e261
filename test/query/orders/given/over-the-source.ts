// Every derived model as SQL over the write side's tables, written another way than the model's own: it starts from the
// rows that count and knows nothing of contributions. What equals it is right.
const quarter = "to_timestamp(floor(extract(epoch from o.created_at) / 900) * 900)"
const sumsOf = (schema: string): string => `
  sum((o.status <> 'cancelled')::int) as orders,
  sum(case when o.status = 'cancelled' then 0 else (
    select coalesce(sum(quantity), 0) from ${schema}.order_items i where i.order_id = o.id) end) as items,
  sum(case when o.status = 'cancelled' then 0 else o.subtotal_minor end) as gross_minor,
  sum(case when o.status = 'cancelled' then 0 else o.discount_minor end) as discount_minor,
  sum((o.status = 'cancelled')::int) as cancelled,
  sum(o.captured_minor) as captured_minor, sum(o.refunded_minor) as refunded_minor,
  sum((o.captured_minor > 0)::int) as paid, sum((o.refunded_minor > 0)::int) as refunded`

/** Select texts by model, over the write side's tables in this schema. */
export const overTheSource = (schema: string): Readonly<Record<string, string>> => {
  const orderSums = sumsOf(schema)
  return {
    sales_by_quarter_hour: `select ${quarter} as bucket, o.currency, o.status, coalesce(o.country, '') as country,
    ${orderSums} from ${schema}.orders o group by 1, 2, 3, 4`,
    sales_by_customer: `select ${quarter} as bucket, o.currency, o.customer_id, ${orderSums}
    from ${schema}.orders o group by 1, 2, 3`,
    sales_by_product: `
    select bucket, currency, product_id, sum(alive) as orders, sum(alive * items) as items,
      sum(alive * gross) as gross_minor, sum(1 - alive) as cancelled, sum((1 - alive) * items) as cancelled_items
    from (
      select o.id, ${quarter} as bucket, o.currency, i.product_id, (o.status <> 'cancelled')::int as alive,
        sum(i.quantity) as items, sum(i.quantity * i.unit_price_minor) as gross
      from ${schema}.order_items i join ${schema}.orders o on o.id = i.order_id group by 1, 2, 3, 4, 5
    ) bought group by 1, 2, 3`,
    customer_totals: `select o.customer_id, o.currency,
    sum((o.status <> 'cancelled')::int) as orders,
    sum(case when o.status = 'cancelled' then 0 else o.subtotal_minor end) as gross_minor,
    sum(case when o.status = 'cancelled' then 0 else o.discount_minor end) as discount_minor,
    sum(case when o.status = 'cancelled' then 0 else o.total_minor end) as total_minor,
    sum((o.status = 'cancelled')::int) as cancelled,
    sum(o.captured_minor) as captured_minor, sum(o.refunded_minor) as refunded_minor
    from ${schema}.orders o group by 1, 2`,
    customer_products: `
    select customer_id, product_id, count(*) as orders, sum(items) as items
    from (
      select o.customer_id, o.id, i.product_id, sum(i.quantity) as items
      from ${schema}.order_items i join ${schema}.orders o on o.id = i.order_id
      where o.status in ('draft', 'confirmed', 'paid', 'shipped', 'delivered') group by 1, 2, 3
    ) bought group by 1, 2`,
    first_orders: `
    select distinct on (o.customer_id) o.customer_id, ${quarter} as bucket
    from ${schema}.orders o where o.status <> 'cancelled' order by o.customer_id, o.created_at`,
  }
}
