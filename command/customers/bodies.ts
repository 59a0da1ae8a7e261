// The JSON of customers: the members of requests and of answers.
import { z } from "@hono/zod-openapi"
import type { Selectable } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { addressBody, addressOrNull } from "../vocabulary/address.ts"
import { text } from "../vocabulary/text.ts"

/** Where the rows of erased customers have their addresses, of which each must differ from every other. */
export const erasedDomain = "erased.invalid"

const email = z
  .email()
  .max(254)
  .refine((address) => !address.toLowerCase().endsWith(`@${erasedDomain}`), "is kept for erased customers")
const name = text(200)
const phone = z.string().regex(/^\+?[\d ().-]{3,40}$/, "must be a telephone number")

export const customerRequest = z.strictObject({
  email,
  name,
  phone: phone.optional(),
  address: addressBody.optional(),
})

export const customerChange = z
  .strictObject({ email, name, phone: phone.nullable(), address: addressOrNull })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "must name what to change")

export const customerBody = z
  .object({
    id: z.string(),
    email: z.string(),
    name: z.string(),
    phone: z.string().nullable(),
    address: z.unknown().openapi({ type: ["object", "null"] }),
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("Customer")

export type CustomerRequest = z.infer<typeof customerRequest>
export type CustomerChange = z.infer<typeof customerChange>

export function toCustomerBody(row: Selectable<CommandDatabase["customers"]>): z.infer<typeof customerBody> {
  const { id, email, name, phone, address, version } = row
  return {
    id,
    email,
    name,
    phone,
    address: address ?? null,
    version,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  }
}
