// Shipping rules in Postgres. They leave no events: what sending cost stands in the orders.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import { ownXid } from "../execute/own-xid.ts"
import { toMinor } from "../vocabulary/money.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"
import type { ShippingRuleChange, ShippingRuleRequest } from "./bodies.ts"

/** A rule written by the transaction with this id. */
type SavedRule = Selectable<CommandDatabase["shipping_rules"]> & { xid: string }

export async function createShippingRule(
  trx: Transaction<CommandDatabase>,
  id: string,
  { country, currency, price, maximum_weight_grams, free_above }: ShippingRuleRequest,
  now: Date,
): Promise<Result<SavedRule>> {
  const priceMinor = toMinor(price, currency)
  if (!priceMinor.ok) return priceMinor
  const freeAbove = free_above === undefined ? accept(null) : toMinor(free_above, currency)
  if (!freeAbove.ok) return freeAbove
  const row = await trx
    .insertInto("shipping_rules")
    .values({
      id,
      country,
      currency,
      maximum_weight_grams: maximum_weight_grams ?? null,
      price_minor: priceMinor.value,
      free_above_minor: freeAbove.value,
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

/** Overwrites the members that the change names; null takes a limit away. */
export async function changeShippingRule(
  trx: Transaction<CommandDatabase>,
  id: string,
  { price, maximum_weight_grams, free_above }: ShippingRuleChange,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedRule>> {
  const present = await trx
    .selectFrom("shipping_rules")
    .select(["version", "currency"])
    .where("id", "=", id)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (!present) return refuse("shipping-rule-not-found", "There is no such shipping rule.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  const priceMinor = price === undefined ? accept(undefined) : toMinor(price, present.currency)
  if (!priceMinor.ok) return priceMinor
  // Undefined stays as it is, null is never free.
  const freeAbove =
    typeof free_above === "string" ? toMinor(free_above, present.currency) : accept(free_above)
  if (!freeAbove.ok) return freeAbove
  const row = await trx
    .updateTable("shipping_rules")
    .set({
      price_minor: priceMinor.value,
      maximum_weight_grams,
      free_above_minor: freeAbove.value,
      version: sql<number>`version + 1`,
      updated_at: now,
    })
    .where("id", "=", id)
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

/** Takes a rule away, and returns the transaction's id. What orders were charged by it stays. */
export async function deleteShippingRule(
  trx: Transaction<CommandDatabase>,
  id: string,
  ifMatch: IfMatch | undefined,
): Promise<Result<string>> {
  const present = await trx
    .selectFrom("shipping_rules")
    .select(["version", ownXid])
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst()
  if (!present) return refuse("shipping-rule-not-found", "There is no such shipping rule.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  await trx.deleteFrom("shipping_rules").where("id", "=", id).execute()
  return accept(present.xid)
}
