// What each payment provider has captured, per currency. A cancelled or failed payment counts in nothing.
import type { DerivedModel } from "../../query/cdc/projection/projection.ts"

export const paidByProvider: DerivedModel = {
  name: "paid_by_provider",
  groupBy: [
    { name: "provider", type: "text" },
    { name: "currency", type: "text" },
  ],
  sums: ["payments", "captured_minor"],
  touchedBy: ["payments"],
  contribution: (schema, aggregates) => `
    select provider, currency, count(*) as payments, sum(amount_minor) as captured_minor
    from ${schema}.payments
    where status = 'captured' and not deleted ${aggregates ? `and order_id = any(${aggregates})` : ""}
    group by provider, currency`,
  indexes: [],
}
