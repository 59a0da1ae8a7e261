// Tax rates in Postgres. The tax stands in the orders, so a rate may change or go.
import { versioned } from "../execute/versioned.ts"
import { refuse } from "../vocabulary/rejection.ts"

/** By country. A country that has a rate shows as a violated key (see constraints.ts). */
export const taxRates = versioned({
  table: "tax_rates",
  key: "country",
  lock: "no key update",
  missing: () => refuse("tax-rate-not-found", "The country has no tax rate."),
})
