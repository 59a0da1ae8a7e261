// Which answers are kept in the cache, and under which names: a route keeps its answer under the name, and the projections
// say which names a changed row makes stale. Order o1's answer is `order:o1`.

const named = (subject: string) => ({
  of: (id: string): string => `${subject}:${id}`,
  /** The same as SQL, from an expression of the id. */
  sql: (id: string): string => `'${subject}:' || ${id}`,
})

export const cacheKeys = {
  order: named("order"),
  customer: named("customer"),
  product: named("product"),
  inventory: named("inventory"),
}

/** Tables whose rows show in the answer about one order, each with the order's id as its first key column. */
export const tablesOfOrder: readonly string[] = [
  "orders",
  "order_items",
  "payments",
  "refunds",
  "shipments",
  "shipment_items",
]
