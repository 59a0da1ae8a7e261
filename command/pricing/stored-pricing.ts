// The stored form of a price: `orders.pricing` holds the breakdown, an event's payload the sums with it.
import { z } from "zod"
import { stored, wholeNumber, writerOf } from "../vocabulary/stored-json.ts"
import type { Breakdown } from "./basket.ts"

const given = stored({ id: z.string(), code: z.string().nullable(), amountMinor: wholeNumber })

const storedBreakdown = stored({
  discounts: z.array(given).readonly(),
  shipping: stored({ rule: z.string().nullable(), weightGrams: wholeNumber }).nullable(),
  tax: stored({ country: z.string(), basisPoints: z.number().int() }).nullable(),
})

export const storedPricing = stored(
  {
    subtotalMinor: wholeNumber,
    discountMinor: wholeNumber,
    shippingMinor: wholeNumber,
    taxMinor: wholeNumber,
    totalMinor: wholeNumber,
    breakdown: storedBreakdown,
  },
  { breakdown: true },
)

/** The stored form of a breakdown. */
export const writeBreakdown: (breakdown: Breakdown) => unknown = writerOf(storedBreakdown)

/** The breakdown in a row; null if there is none that this program can have written. */
export function readBreakdown(found: unknown): Breakdown | null {
  return storedBreakdown.safeParse(found).data ?? null
}
