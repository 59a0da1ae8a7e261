// The JSON of tax rates, one per country.
import { z } from "@hono/zod-openapi"
import type { Selectable } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { countryCode } from "../vocabulary/address.ts"

const basisPoints = z
  .number()
  .int()
  .min(0)
  .max(10_000)
  .openapi({ example: 1900, description: "1900 is 19 %." })

export const taxRateRequest = z.strictObject({ country: countryCode, basis_points: basisPoints })
export const taxRateChange = z.strictObject({ basis_points: basisPoints })

export const taxRateBody = z
  .object({
    country: countryCode,
    basis_points: z.number().int(),
    version: z.number().int(),
    created_at: z.iso.datetime(),
    updated_at: z.iso.datetime(),
  })
  .openapi("TaxRate")

export function toTaxRateBody(row: Selectable<CommandDatabase["tax_rates"]>): z.infer<typeof taxRateBody> {
  const { country, basis_points, version, created_at, updated_at } = row
  return {
    country,
    basis_points,
    version,
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  }
}
