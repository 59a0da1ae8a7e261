// Discounts in Postgres. A discount leaves no events: what it took off stands in the orders. Its version rises with
// every change made here, and not when it is used.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { refuseIfErased } from "../customers/handle.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import { ownXid } from "../execute/own-xid.ts"
import { toMinor } from "../vocabulary/money.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import type { DiscountChange, DiscountRequest } from "./bodies.ts"

type DiscountRow = Selectable<CommandDatabase["discounts"]>
/** A discount written by the transaction with this id. */
type SavedDiscount = DiscountRow & { xid: string }

/** Creates a discount. Unknown customer, unknown product and a code in use show as violated constraints. */
export async function createDiscount(
  trx: Transaction<CommandDatabase>,
  id: string,
  request: DiscountRequest,
  now: Date,
): Promise<Result<SavedDiscount>> {
  const { customer_id, currency, valid_from = now, valid_until = null } = request
  const erased = customer_id && (await refuseIfErased(trx, customer_id))
  if (erased) return erased
  if (!isWindow(valid_from, valid_until)) return noWindow()
  const amount = optionalMinor(request.amount, currency)
  if (!amount.ok) return amount
  const minimum = optionalMinor(request.minimum_order, currency)
  if (!minimum.ok) return minimum
  const row = await trx
    .insertInto("discounts")
    .values({
      id,
      code: request.code ?? null,
      customer_id: customer_id ?? null,
      product_id: request.product_id ?? null,
      kind: amount.value === undefined ? "percent" : "fixed",
      percent_basis_points: request.basis_points ?? null,
      amount_minor: amount.value ?? null,
      currency: currency ?? null,
      minimum_order_minor: minimum.value ?? 0n,
      usage_limit: request.usage_limit ?? null,
      stackable: request.stackable,
      active: request.active,
      valid_from,
      valid_until,
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

/** Overwrites the members that the change names; null takes a limit away. */
export async function changeDiscount(
  trx: Transaction<CommandDatabase>,
  id: string,
  change: DiscountChange,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedDiscount>> {
  const query = trx.selectFrom("discounts").selectAll().where("id", "=", id)
  const present = await query.forNoKeyUpdate().executeTakeFirst()
  if (!present) return refuse("discount-not-found", "There is no such discount.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version) ?? refuseUnlessFitting(present, change)
  if (mismatch) return mismatch
  const currency = present.currency ?? undefined
  const amount = optionalMinor(change.amount, currency)
  if (!amount.ok) return amount
  const minimum = optionalMinor(change.minimum_order, currency)
  if (!minimum.ok) return minimum
  const { basis_points, usage_limit, stackable, active, valid_from, valid_until } = change
  const row = await trx
    .updateTable("discounts")
    .set({
      // Undefined members are left out.
      percent_basis_points: basis_points,
      amount_minor: amount.value,
      minimum_order_minor: minimum.value,
      usage_limit,
      stackable,
      active,
      valid_from,
      valid_until,
      version: sql<number>`version + 1`,
      updated_at: now,
    })
    .where("id", "=", id)
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

/** A percent stays one, a fixed amount stays one, and without a currency there are no amounts. */
function refuseUnlessFitting(present: DiscountRow, change: DiscountChange): Refused | undefined {
  const { basis_points, amount, minimum_order } = change
  if (present.kind === "fixed" ? basis_points !== undefined : amount !== undefined) {
    return inconsistent(`The discount is a ${present.kind === "fixed" ? "fixed amount" : "percentage"}.`)
  }
  if (minimum_order !== undefined && present.currency === null) {
    return inconsistent("The discount is for every currency, so its minimum would be in none.")
  }
  const { valid_from = present.valid_from, valid_until = present.valid_until } = change
  return isWindow(valid_from, valid_until) ? undefined : noWindow()
}

function isWindow(from: Date, until: Date | null): boolean {
  return until === null || from < until
}

const noWindow = () => inconsistent("The discount would end before it begins.")
const inconsistent = (detail: string): Refused => refuse("discount-inconsistent", detail)

function optionalMinor(
  decimal: string | undefined,
  currency: string | undefined,
): Result<bigint | undefined> {
  return decimal === undefined || currency === undefined ? accept(undefined) : toMinor(decimal, currency)
}
