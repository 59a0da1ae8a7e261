// Branded ids of the write side: the compiler refuses a product's id where the code wants an order's id.
import type { z } from "@hono/zod-openapi"
import { text } from "./text.ts"

export const orderId = text(200).brand<"OrderId">()
export const customerId = text(200).brand<"CustomerId">()
export const productId = text(200).brand<"ProductId">()

export type OrderId = z.infer<typeof orderId>
export type CustomerId = z.infer<typeof customerId>
export type ProductId = z.infer<typeof productId>
