// The vocabulary of pricing: the basket that is priced, and the sums that come out. All amounts are minor units of the
// basket's one currency; total = subtotal - discount + shipping + tax, and none of them is ever negative.
import type { CustomerId, ProductId } from "../vocabulary/ids.ts"

export type BasketLine = {
  productId: ProductId
  quantity: number
  unitPriceMinor: bigint
  /** Of one piece. */
  weightGrams: number
}

export type Basket = {
  /** Undefined for a quote to nobody in particular. */
  customerId: CustomerId | undefined
  currency: string
  /** Where it goes; null if it is collected: no shipping, no tax. */
  country: string | null
  /** Discount codes that the customer named. */
  codes: readonly string[]
  lines: readonly BasketLine[]
}

export type Sums = {
  subtotalMinor: bigint
  discountMinor: bigint
  shippingMinor: bigint
  taxMinor: bigint
  totalMinor: bigint
}

export type GivenDiscount = { id: string; code: string | null; amountMinor: bigint }

/** How the sums came about. The amounts of the discounts add up to the discount. */
export type Breakdown = {
  discounts: readonly GivenDiscount[]
  /** Null if nothing is sent; `rule` is null if no rule fits. */
  shipping: { rule: string | null; weightGrams: bigint } | null
  /** Null if nothing is taxed. */
  tax: { country: string; basisPoints: number } | null
}

export type Pricing = Sums & { breakdown: Breakdown }

/** The price of the lines before anything is taken off or added. */
export function subtotalOf(lines: readonly { quantity: number; unitPriceMinor: bigint }[]): bigint {
  return lines.reduce((sum, { quantity, unitPriceMinor }) => sum + unitPriceMinor * BigInt(quantity), 0n)
}
