// The tables and columns of the read models that hold a customer's personal data: for erasing the data together with the
// customer, and for showing that nothing of it is left. Payments, items and the payloads of events hold no personal data.
import type { Erasure } from "../cdc/projection/projection.ts"

/** By table, the columns that may hold personal data. */
export const personalColumns: Readonly<Record<string, readonly string[]>> = {
  customers: ["email", "name", "phone", "address"],
  orders: ["shipping_address", "note", "cancel_reason"],
  refunds: ["reason"],
  shipments: ["tracking"],
  order_events: ["reason"],
}

const tablesOfOrder = [
  "orders",
  "order_items",
  "payments",
  "refunds",
  "shipments",
  "shipment_items",
  "order_events",
]

export const erasure: Erasure = {
  table: "customers",
  column: "erased_at",
  personal: personalColumns,
  rows: (schema, subjects) => `
    select 'customers', unnest(${subjects})
    union all
    select t, o.id from ${schema}.orders o cross join unnest(array['${tablesOfOrder.join("', '")}']) t
    where o.customer_id = any(${subjects})`,
}
