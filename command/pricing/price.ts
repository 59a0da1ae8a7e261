// The pricing service, pure: a basket and the rules of the moment in, sums and their breakdown out.
// subtotal - discount + shipping + tax = total, never negative. Tax is taken once of everything that is paid for,
// goods less discount and shipping, and rounded once per order.

import { maximumAmountMinor } from "../vocabulary/money.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import { type Basket, type Pricing, subtotalOf } from "./basket.ts"
import { type Discount, isPassing, type Reason, reasonAgainst } from "./discount.ts"
import { shareOf } from "./rounding.ts"
import { chooseShipping, type ShippingRule, weightOf } from "./shipping.ts"
import { chooseDiscounts, sumOf } from "./stacking.ts"

/** Everything that a price depends on besides the basket. */
export type PriceRules = {
  now: Date
  /** At least those that could apply and those whose codes were named. */
  discounts: readonly Discount[]
  shippingRules: readonly ShippingRule[]
  /** Whether there is a shipping rule for anything at all; if there is none, everything is sent for nothing. */
  isShippingCharged: boolean
  /** Basis points per country. */
  taxRates: ReadonlyMap<string, number>
}

/** Refused as `amount-too-large` if a sum does not fit a bigint column; nothing else is refused here. */
export function price(basket: Basket, rules: PriceRules): Result<Pricing> {
  const { country } = basket
  const subtotalMinor = subtotalOf(basket.lines)
  const applicable = rules.discounts.filter((discount) => !reasonAgainst(discount, basket, rules.now))
  const discounts = chooseDiscounts(applicable, basket)
  const discountMinor = sumOf(discounts)
  const goodsMinor = subtotalMinor - discountMinor
  const isSent = country !== null && basket.lines.length > 0
  const offer = isSent ? chooseShipping(rules.shippingRules, basket, goodsMinor) : undefined
  const shippingMinor = offer?.priceMinor ?? 0n
  const basisPoints = country === null ? undefined : rules.taxRates.get(country)
  const taxMinor = basisPoints === undefined ? 0n : shareOf(goodsMinor + shippingMinor, basisPoints)
  const totalMinor = goodsMinor + shippingMinor + taxMinor
  if (subtotalMinor > maximumAmountMinor || totalMinor > maximumAmountMinor) {
    return refuse("amount-too-large", "The order's total is larger than can be stored.")
  }
  const breakdown = {
    discounts,
    shipping: isSent ? { rule: offer?.rule ?? null, weightGrams: weightOf(basket) } : null,
    tax: country !== null && basisPoints !== undefined ? { country, basisPoints } : null,
  }
  return accept({ subtotalMinor, discountMinor, shippingMinor, taxMinor, totalMinor, breakdown })
}

/** The rejection if the basket has to be sent where nothing is sent to. */
export function refuseUnlessSendable(
  basket: Basket,
  pricing: Pricing,
  rules: PriceRules,
): Refused | undefined {
  const { shipping } = pricing.breakdown
  if (!rules.isShippingCharged || shipping === null || shipping.rule !== null) return undefined
  return refuse(
    "shipping-unavailable",
    `Nothing sends ${shipping.weightGrams} g to ${basket.country} for a price in ${basket.currency}.`,
    { country: basket.country, currency: basket.currency, weight_grams: shipping.weightGrams.toString() },
  )
}

/**
 * The rejection if a code that the customer named does not apply. While the basket still changes, `whatever-comes`,
 * a reason that other items would remove is no reason yet.
 */
export function refuseUnlessCodesApply(
  basket: Basket,
  rules: PriceRules,
  until: "as-it-is" | "whatever-comes",
): Refused | undefined {
  for (const code of basket.codes) {
    const discount = rules.discounts.find((one) => one.code === code)
    const reason = discount ? reasonAgainst(discount, basket, rules.now) : "unknown"
    if (reason === undefined || (until === "whatever-comes" && isPassing(reason))) continue
    return refuse("discount-not-applicable", `The discount code ${code} ${explanations[reason]}.`, {
      discount_code: code,
      why: reason,
    })
  }
  return undefined
}

const explanations: Record<Reason, string> = {
  unknown: "is not known",
  inactive: "is not given any more",
  "not-yet-valid": "is not valid yet",
  expired: "has expired",
  "used-up": "has been used as often as it may",
  "other-customer": "is for another customer",
  "other-currency": "is for another currency",
  "product-not-in-order": "is for a product that is not in the order",
  "minimum-not-reached": "needs a larger order",
}
