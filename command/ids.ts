// Branded ids of the write side, so that a product's id cannot stand where an order's is wanted.
import type { z } from "@hono/zod-openapi"
import { text } from "./http/text.ts"

export const orderId = text(200).brand<"OrderId">()
export const customerId = text(200).brand<"CustomerId">()
export const productId = text(200).brand<"ProductId">()

export type OrderId = z.infer<typeof orderId>
export type CustomerId = z.infer<typeof customerId>
export type ProductId = z.infer<typeof productId>
