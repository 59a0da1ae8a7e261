// Discounts in Postgres. The amount that a discount took off stands in the orders. Its version rises with every change
// made here, and not when it is used.
import type { Selectable, Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { refuseIfErased } from "../customers/handle.ts"
import { type Change, type Saved, versioned } from "../execute/versioned.ts"
import { toMinor } from "../vocabulary/money.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import type { DiscountChange, DiscountRequest } from "./bodies.ts"

type DiscountRow = Selectable<CommandDatabase["discounts"]>

const discounts = versioned({
  table: "discounts",
  key: "id",
  lock: "no key update",
  missing: () => refuse("discount-not-found", "There is no such discount."),
})

/** Creates a discount. Unknown customer, unknown product and a code in use show as violated constraints. */
export async function createDiscount(
  trx: Transaction<CommandDatabase>,
  id: string,
  request: DiscountRequest,
  now: Date,
): Promise<Result<Saved<"discounts">>> {
  const { customer_id, currency, valid_from = now, valid_until = null } = request
  const erased = customer_id && (await refuseIfErased(trx, customer_id))
  if (erased) return erased
  if (!isWindow(valid_from, valid_until)) return noWindow()
  const amount = optionalMinor(request.amount, currency)
  if (!amount.ok) return amount
  const minimum = optionalMinor(request.minimum_order, currency)
  if (!minimum.ok) return minimum
  const row = {
    id,
    code: request.code ?? null,
    customer_id: customer_id ?? null,
    product_id: request.product_id ?? null,
    kind: amount.value === undefined ? ("percent" as const) : ("fixed" as const),
    percent_basis_points: request.basis_points ?? null,
    amount_minor: amount.value ?? null,
    currency: currency ?? null,
    minimum_order_minor: minimum.value ?? 0n,
    usage_limit: request.usage_limit ?? null,
    stackable: request.stackable,
    active: request.active,
    valid_from,
    valid_until,
  }
  return accept(await discounts.create(trx, row, now))
}

/** Overwrites the members that the request names; null takes a limit away. */
export async function changeDiscount(
  trx: Transaction<CommandDatabase>,
  id: string,
  { basis_points, amount, minimum_order, ...members }: DiscountChange,
  change: Change,
): Promise<Result<Saved<"discounts">>> {
  return await discounts.change(trx, id, change, (present) => {
    const refused = refuseUnlessFitting(present, { basis_points, amount, minimum_order, ...members })
    if (refused) return refused
    const currency = present.currency ?? undefined
    const amountMinor = optionalMinor(amount, currency)
    if (!amountMinor.ok) return amountMinor
    const minimumMinor = optionalMinor(minimum_order, currency)
    if (!minimumMinor.ok) return minimumMinor
    return accept({
      ...members,
      percent_basis_points: basis_points,
      amount_minor: amountMinor.value,
      minimum_order_minor: minimumMinor.value,
    })
  })
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
