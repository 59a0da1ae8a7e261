// The JSON of stock in requests and in answers.
import { z } from "@hono/zod-openapi"
import type { Selectable } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"

/** Far more than any shop keeps, and a number that every JSON parser reads exactly. */
const maximumOnHand = 1_000_000_000_000

const quantity = z.number().int()

export const onHand = quantity.min(0).max(maximumOnHand)

export const stockRequest = z.strictObject({ on_hand: onHand })

export const stockChange = z.strictObject({
  adjust: quantity
    .min(-maximumOnHand)
    .max(maximumOnHand)
    .refine((delta) => delta !== 0, "must not be zero")
    .openapi({ description: "Added to the quantity on hand; a negative number takes away.", example: -3 }),
})

export const stockBody = z
  .object({
    product_id: z.string(),
    on_hand: z.number().int(),
    reserved: z.number().int().openapi({ description: "The quantity that confirmed orders wait for." }),
    available: z.number().int().openapi({ description: "on_hand - reserved" }),
    version: z.number().int(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Stock")

export const fitsStock = (quantityOnHand: bigint): boolean => quantityOnHand <= BigInt(maximumOnHand)

export function toStockBody(row: Selectable<CommandDatabase["inventory"]>): z.infer<typeof stockBody> {
  const { product_id, on_hand, reserved, version, updated_at } = row
  return {
    product_id,
    on_hand: Number(on_hand),
    reserved: Number(reserved),
    available: Number(on_hand - reserved),
    version,
    updated_at: updated_at.toISOString(),
  }
}
