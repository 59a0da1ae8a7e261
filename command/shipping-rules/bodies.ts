// The JSON of shipping rules: the members of requests and of answers.
import { z } from "@hono/zod-openapi"
import type { Selectable } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { countryCode } from "../vocabulary/address.ts"
import { currencyCode, decimalAmount, moneyBody, moneyOrNull, toMoneyBody } from "../vocabulary/money.ts"

const price = decimalAmount.openapi({ example: "4.90", description: "At most the currency's digits." })
const freeAbove = decimalAmount.openapi({
  example: "50.00",
  description: "Sent for nothing from so much on: goods less discount.",
})
const maximumWeightGrams = z.number().int().min(1).max(2_147_483_647)

export const shippingRuleRequest = z.strictObject({
  country: countryCode,
  currency: currencyCode,
  price,
  maximum_weight_grams: maximumWeightGrams.optional(),
  free_above: freeAbove.optional(),
})

export const shippingRuleChange = z
  .strictObject({
    price,
    maximum_weight_grams: maximumWeightGrams.nullable(),
    free_above: freeAbove.nullable(),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "must name what to change")

export const shippingRuleBody = z
  .object({
    id: z.string(),
    country: countryCode,
    currency: currencyCode,
    price: moneyBody,
    maximum_weight_grams: z.number().int().nullable(),
    free_above: moneyOrNull,
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("ShippingRule")

export type ShippingRuleRequest = z.infer<typeof shippingRuleRequest>
export type ShippingRuleChange = z.infer<typeof shippingRuleChange>

export function toShippingRuleBody(
  row: Selectable<CommandDatabase["shipping_rules"]>,
): z.infer<typeof shippingRuleBody> {
  const { id, country, currency, price_minor, maximum_weight_grams, free_above_minor, version } = row
  return {
    id,
    country,
    currency,
    price: toMoneyBody({ amountMinor: price_minor, currency }),
    maximum_weight_grams,
    free_above: free_above_minor === null ? null : toMoneyBody({ amountMinor: free_above_minor, currency }),
    version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}
