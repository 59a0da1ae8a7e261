// The JSON of products: the members of requests and of answers.
import { z } from "@hono/zod-openapi"
import type { Selectable } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { onHand } from "../inventory/bodies.ts"
import { productId } from "../vocabulary/ids.ts"
import { currencyCode, decimalAmount, moneyBody, toMoneyBody } from "../vocabulary/money.ts"
import { text } from "../vocabulary/text.ts"

const name = text(200)
const price = decimalAmount.openapi({ example: "29.99", description: "At most the currency's digits." })
const weightGrams = z.number().int().min(0).max(1_000_000_000)

/** An id that a client chooses stands in paths, so it needs no escaping there. */
const chosenId = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$/, "must be up to 100 letters, digits and . _ ~ -")
  .pipe(productId)
  .openapi({ type: "string", example: "product-456" })

export const productRequest = z.strictObject({
  id: chosenId.optional(),
  name,
  price,
  currency: currencyCode,
  weight_grams: weightGrams.default(0),
  active: z.boolean().default(true),
  stock: onHand.optional().openapi({
    description: "Quantity on hand. Without it the product is not kept in stock and never short.",
  }),
})

export const productChange = z
  .strictObject({ name, price, currency: currencyCode, weight_grams: weightGrams, active: z.boolean() })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "must name what to change")
  .refine((change) => change.currency === undefined || change.price !== undefined, {
    message: "needs a price in it",
    path: ["currency"],
  })

export const productBody = z
  .object({
    id: z.string(),
    name: z.string(),
    price: moneyBody,
    weight_grams: z.number().int(),
    active: z.boolean(),
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Product")

export type ProductRequest = z.infer<typeof productRequest>
export type ProductChange = z.infer<typeof productChange>

export function toProductBody(row: Selectable<CommandDatabase["products"]>): z.infer<typeof productBody> {
  const { id, name, price_minor, currency, weight_grams, active, version } = row
  return {
    id,
    name,
    price: toMoneyBody({ amountMinor: price_minor, currency }),
    weight_grams,
    active,
    version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}
