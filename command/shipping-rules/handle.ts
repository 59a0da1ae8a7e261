// Shipping rules in Postgres. The price of sending stands in the orders, so a rule may change or go.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { IfMatch } from "../execute/if-match.ts"
import { type Change, type Saved, versioned } from "../execute/versioned.ts"
import { toMinor } from "../vocabulary/money.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"
import type { ShippingRuleChange, ShippingRuleRequest } from "./bodies.ts"

const rules = versioned({
  table: "shipping_rules",
  key: "id",
  lock: "no key update",
  missing: () => refuse("shipping-rule-not-found", "There is no such shipping rule."),
})

export async function createShippingRule(
  trx: Transaction<CommandDatabase>,
  id: string,
  { country, currency, price, maximum_weight_grams, free_above }: ShippingRuleRequest,
  now: Date,
): Promise<Result<Saved<"shipping_rules">>> {
  const priceMinor = toMinor(price, currency)
  if (!priceMinor.ok) return priceMinor
  const freeAbove = free_above === undefined ? accept(null) : toMinor(free_above, currency)
  if (!freeAbove.ok) return freeAbove
  const row = {
    id,
    country,
    currency,
    maximum_weight_grams: maximum_weight_grams ?? null,
    price_minor: priceMinor.value,
    free_above_minor: freeAbove.value,
  }
  return accept(await rules.create(trx, row, now))
}

/** Overwrites the members that the request names; null takes a limit away. */
export async function changeShippingRule(
  trx: Transaction<CommandDatabase>,
  id: string,
  { price, maximum_weight_grams, free_above }: ShippingRuleChange,
  change: Change,
): Promise<Result<Saved<"shipping_rules">>> {
  return await rules.change(trx, id, change, ({ currency }) => {
    const priceMinor = price === undefined ? accept(undefined) : toMinor(price, currency)
    if (!priceMinor.ok) return priceMinor
    // Undefined stays as it is, null is never free.
    const freeAbove = typeof free_above === "string" ? toMinor(free_above, currency) : accept(free_above)
    if (!freeAbove.ok) return freeAbove
    return accept({
      price_minor: priceMinor.value,
      maximum_weight_grams,
      free_above_minor: freeAbove.value,
    })
  })
}

/** Takes a rule away, and returns the transaction's id. The price that orders were charged by it stays. */
export async function deleteShippingRule(
  trx: Transaction<CommandDatabase>,
  id: string,
  ifMatch: IfMatch | undefined,
): Promise<Result<string>> {
  return await rules.remove(trx, id, ifMatch)
}
