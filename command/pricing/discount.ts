// Which discounts a basket may have, pure. Each condition that a discount names restricts it: a customer, a product
// (the discount then takes off that product's lines only), a code, a currency, a minimum subtotal, a window of time, a
// number of uses. An automatic discount that does not apply is silently absent; for a code there is a reason.
import { type Basket, subtotalOf } from "./basket.ts"

export type Discount = {
  id: string
  /** Null if the discount applies without a code. */
  code: string | null
  customerId: string | null
  productId: string | null
  off: { kind: "percent"; basisPoints: number } | { kind: "fixed"; amountMinor: bigint }
  /** Null: any currency. */
  currency: string | null
  minimumOrderMinor: bigint
  usageLimit: number | null
  timesUsed: number
  /** The discount may be given together with other stackable discounts. */
  stackable: boolean
  active: boolean
  validFrom: Date
  /** The first moment at which the discount is over; null: it never ends. */
  validUntil: Date | null
}

/** Reasons that no change of the basket removes. */
type LastingReason =
  | "unknown"
  | "inactive"
  | "not-yet-valid"
  | "expired"
  | "used-up"
  | "other-customer"
  | "other-currency"

/** Reasons that other items would remove. */
type PassingReason = "product-not-in-order" | "minimum-not-reached"

export type Reason = LastingReason | PassingReason

export function isPassing(reason: Reason): reason is PassingReason {
  return reason === "product-not-in-order" || reason === "minimum-not-reached"
}

/** Why the discount does not apply to the basket now, or undefined if it does. */
export function reasonAgainst(discount: Discount, basket: Basket, now: Date): Reason | undefined {
  if (discount.code !== null && !basket.codes.includes(discount.code)) return "unknown"
  if (!discount.active) return "inactive"
  if (now < discount.validFrom) return "not-yet-valid"
  if (discount.validUntil !== null && now >= discount.validUntil) return "expired"
  if (discount.usageLimit !== null && discount.timesUsed >= discount.usageLimit) return "used-up"
  if (discount.customerId !== null && discount.customerId !== basket.customerId) return "other-customer"
  if (discount.currency !== null && discount.currency !== basket.currency) return "other-currency"
  if (basket.lines.length === 0) return "minimum-not-reached"
  if (linesOf(discount, basket).length === 0) return "product-not-in-order"
  if (subtotalOf(basket.lines) < discount.minimumOrderMinor) return "minimum-not-reached"
  return undefined
}

/** The amount that the discount is taken of: the subtotal of its product's lines, or of all lines. */
export function baseOf(discount: Discount, basket: Basket): bigint {
  return subtotalOf(linesOf(discount, basket))
}

function linesOf({ productId }: Discount, { lines }: Basket): Basket["lines"] {
  return productId === null ? lines : lines.filter((line) => line.productId === productId)
}
