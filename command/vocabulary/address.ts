// A postal address as requests send it: the address of an order's shipment or of a customer.
import { z } from "@hono/zod-openapi"
import { text } from "./text.ts"

export const countryCode = z.string().regex(/^[A-Z]{2}$/, "must be an ISO 3166 code such as US")

export const addressBody = z
  .strictObject({
    street: text(200),
    city: text(100),
    state: text(100).optional(),
    zip: text(20),
    country: countryCode.optional(),
  })
  .openapi("Address")

/** A union, because OpenAPI would describe a nullable reference as a reference that is never null. */
export const addressOrNull = z.union([addressBody, z.null()])
