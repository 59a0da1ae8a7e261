// The JSON of a price: the codes that a customer may name, and the breakdown that answers show.
import { z } from "@hono/zod-openapi"
import { moneyBody, toMoneyBody } from "../vocabulary/money.ts"
import type { Breakdown } from "./basket.ts"

/** A code as it is stored: codes are compared without regard to case. */
export const discountCode = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/, "must be up to 40 letters, digits, _ and -")
  .transform((code) => code.toUpperCase())
  .openapi({ type: "string", example: "SUMMER-10" })

/** Naming a code twice is naming it once. */
export const discountCodes = z
  .array(discountCode)
  .max(10)
  .transform((codes) => [...new Set(codes)])

export const pricingBody = z
  .object({
    discounts: z.array(z.object({ id: z.string(), code: z.string().nullable(), amount: moneyBody })),
    shipping: z
      .object({ rule: z.string().nullable(), weight_grams: z.string() })
      .nullable()
      .openapi({ description: "Null if nothing is sent." }),
    tax: z
      .object({ country: z.string(), basis_points: z.number().int() })
      .nullable()
      .openapi({ description: "Null if nothing is taxed." }),
  })
  .openapi("Pricing", { description: "How the sums came about." })

export function toPricingBody(
  { discounts, shipping, tax }: Breakdown,
  currency: string,
): z.infer<typeof pricingBody> {
  return {
    discounts: discounts.map(({ id, code, amountMinor }) => ({
      id,
      code,
      amount: toMoneyBody({ amountMinor, currency }),
    })),
    shipping: shipping && { rule: shipping.rule, weight_grams: shipping.weightGrams.toString() },
    tax: tax && { country: tax.country, basis_points: tax.basisPoints },
  }
}
