// The stored form of a price: snake_case JSON, amounts as decimal texts of minor units, so that no reader's JSON
// parser can round them. `orders.pricing` holds the breakdown, an event's payload the sums with it.
import { z } from "zod"
import type { Breakdown, Pricing } from "./basket.ts"

const minor = z.string().regex(/^\d+$/).transform(BigInt)

const storedBreakdown = z.object({
  discounts: z.array(
    z
      .object({ id: z.string(), code: z.string().nullable(), amount_minor: minor })
      .transform(({ id, code, amount_minor }) => ({ id, code, amountMinor: amount_minor })),
  ),
  shipping: z
    .object({ rule: z.string().nullable(), weight_grams: minor })
    .transform(({ rule, weight_grams }) => ({ rule, weightGrams: weight_grams }))
    .nullable(),
  tax: z
    .object({ country: z.string(), basis_points: z.number().int() })
    .transform(({ country, basis_points }) => ({ country, basisPoints: basis_points }))
    .nullable(),
})

/** A price as `toStoredPricing` writes it. */
export const storedPricing = storedBreakdown
  .extend({
    subtotal_minor: minor,
    discount_minor: minor,
    shipping_minor: minor,
    tax_minor: minor,
    total_minor: minor,
  })
  .transform(
    ({ discounts, shipping, tax, ...sums }): Pricing => ({
      subtotalMinor: sums.subtotal_minor,
      discountMinor: sums.discount_minor,
      shippingMinor: sums.shipping_minor,
      taxMinor: sums.tax_minor,
      totalMinor: sums.total_minor,
      breakdown: { discounts, shipping, tax },
    }),
  )

export function toStoredPricing(pricing: Pricing): z.input<typeof storedPricing> {
  return {
    subtotal_minor: pricing.subtotalMinor.toString(),
    discount_minor: pricing.discountMinor.toString(),
    shipping_minor: pricing.shippingMinor.toString(),
    tax_minor: pricing.taxMinor.toString(),
    total_minor: pricing.totalMinor.toString(),
    ...toStoredBreakdown(pricing.breakdown),
  }
}

export function toStoredBreakdown({ discounts, shipping, tax }: Breakdown): z.input<typeof storedBreakdown> {
  return {
    discounts: discounts.map(({ id, code, amountMinor }) => ({
      id,
      code,
      amount_minor: amountMinor.toString(),
    })),
    shipping: shipping && { rule: shipping.rule, weight_grams: shipping.weightGrams.toString() },
    tax: tax && { country: tax.country, basis_points: tax.basisPoints },
  }
}

/** The breakdown in a row; null if there is none that this program can have written. */
export function fromStoredBreakdown(stored: unknown): Breakdown | null {
  return storedBreakdown.safeParse(stored).data ?? null
}
