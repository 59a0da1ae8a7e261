// The JSON of discounts: the members of requests and of answers.
import { z } from "@hono/zod-openapi"
import type { Selectable } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { discountCode } from "../pricing/bodies.ts"
import { customerId, productId } from "../vocabulary/ids.ts"
import { currencyCode, decimalAmount, moneyOrNull, toMoneyBody } from "../vocabulary/money.ts"

const basisPoints = z
  .number()
  .int()
  .min(1)
  .max(10_000)
  .openapi({ example: 1000, description: "1000 is 10 %." })
const amount = decimalAmount.openapi({ example: "5.00", description: "At most the currency's digits." })
const usageLimit = z.number().int().min(1).max(2_147_483_647)
const time = z.iso
  .datetime({ offset: true })
  .transform((text) => new Date(text))
  .openapi({ type: "string", format: "date-time" })

export const discountRequest = z
  .strictObject({
    code: discountCode.optional().openapi({ description: "Without one it applies by itself." }),
    customer_id: customerId.optional(),
    product_id: productId.optional(),
    basis_points: basisPoints.optional(),
    amount: amount.optional(),
    currency: currencyCode.optional(),
    minimum_order: amount.optional(),
    usage_limit: usageLimit.optional(),
    stackable: z.boolean().default(false),
    active: z.boolean().default(true),
    valid_from: time.optional(),
    valid_until: time.optional(),
  })
  .refine((request) => (request.basis_points === undefined) !== (request.amount === undefined), {
    message: "must be given, or amount, and not both",
    path: ["basis_points"],
  })
  .refine(
    ({ amount, minimum_order, currency }) =>
      currency !== undefined || (amount === undefined && minimum_order === undefined),
    { message: "is needed by an amount", path: ["currency"] },
  )

/** Customer, product, code and currency stay; a discount for something else is another discount. */
export const discountChange = z
  .strictObject({
    basis_points: basisPoints,
    amount,
    minimum_order: amount,
    usage_limit: usageLimit.nullable(),
    stackable: z.boolean(),
    active: z.boolean(),
    valid_from: time,
    valid_until: z.union([time, z.null()]),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "must name what to change")

export const discountBody = z
  .object({
    id: z.string(),
    code: z.string().nullable(),
    customer_id: z.string().nullable(),
    product_id: z.string().nullable(),
    basis_points: z.number().int().nullable(),
    amount: moneyOrNull,
    currency: currencyCode.nullable(),
    minimum_order: moneyOrNull,
    usage_limit: z.number().int().nullable(),
    times_used: z.number().int(),
    stackable: z.boolean(),
    active: z.boolean(),
    valid_from: z.string(),
    valid_until: z.string().nullable(),
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Discount")

export type DiscountRequest = z.infer<typeof discountRequest>
export type DiscountChange = z.infer<typeof discountChange>

export function toDiscountBody(row: Selectable<CommandDatabase["discounts"]>): z.infer<typeof discountBody> {
  const { currency } = row
  const money = (amountMinor: bigint | null) =>
    amountMinor === null || currency === null ? null : toMoneyBody({ amountMinor, currency })
  return {
    id: row.id,
    code: row.code,
    customer_id: row.customer_id,
    product_id: row.product_id,
    basis_points: row.percent_basis_points,
    amount: money(row.amount_minor),
    currency,
    minimum_order: money(row.minimum_order_minor),
    usage_limit: row.usage_limit,
    times_used: row.times_used,
    stackable: row.stackable,
    active: row.active,
    valid_from: row.valid_from.toISOString(),
    valid_until: row.valid_until?.toISOString() ?? null,
    version: row.version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}
