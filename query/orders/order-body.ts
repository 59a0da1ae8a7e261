// The JSON of the answer about one order; order.ts builds the answer. Moments are ISO 8601 in UTC.
import { z } from "@hono/zod-openapi"
import { moneyBody } from "./money.ts"

export const orderStatuses = ["draft", "confirmed", "paid", "shipped", "delivered", "cancelled"] as const

const item = z.object({
  line: z.number().int(),
  product_id: z.string(),
  quantity: z.number().int(),
  reserved: z.number().int().openapi({ description: "Quantity reserved in stock for this line." }),
  shipped: z.number().int(),
  unit_price: moneyBody,
  total: moneyBody,
})

const payment = z.object({
  payment: z.number().int(),
  status: z.string().openapi({ example: "captured" }),
  amount: moneyBody,
  captured: moneyBody,
  refunded: moneyBody,
  provider: z.string(),
  provider_reference: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
})

const refund = z.object({
  refund: z.number().int(),
  payment: z.number().int().openapi({ description: "Payment that the refund gives back." }),
  status: z.string().openapi({ example: "succeeded" }),
  amount: moneyBody,
  reason: z.string().nullable(),
  created_at: z.string(),
  updated_at: z.string(),
})

const shipment = z.object({
  shipment: z.number().int(),
  carrier: z.string(),
  tracking: z.string().nullable(),
  items: z.array(
    z.object({ line: z.number().int(), product_id: z.string().nullable(), quantity: z.number().int() }),
  ),
  created_at: z.string(),
  updated_at: z.string(),
  delivered_at: z.string().nullable(),
})

const pricing = z
  .object({
    discounts: z.array(z.object({ id: z.string(), code: z.string().nullable(), amount: moneyBody })),
    shipping: z.object({ rule: z.string().nullable(), weight_grams: z.string().nullable() }).nullable(),
    tax: z.object({ country: z.string().nullable(), basis_points: z.number().int().nullable() }).nullable(),
  })
  .openapi({ description: "How the sums came about; frozen when the order is confirmed." })

export const orderBody = z
  .object({
    id: z.string(),
    status: z.enum(orderStatuses),
    version: z.number().int(),
    customer: z.object({ id: z.string(), name: z.string().nullable(), email: z.string().nullable() }),
    currency: z.string(),
    items: z.array(item),
    subtotal: moneyBody,
    discount: moneyBody,
    shipping: moneyBody,
    tax: moneyBody,
    total: moneyBody,
    captured: moneyBody.openapi({ description: "Amount that has been paid." }),
    refunded: moneyBody.openapi({ description: "Part of `captured` that has been given back." }),
    due: moneyBody.openapi({ description: "total - captured; 0 once the order is cancelled." }),
    discount_codes: z.array(z.string()),
    pricing: pricing.nullable(),
    payments: z.array(payment),
    refunds: z.array(refund),
    shipments: z.array(shipment),
    country: z
      .string()
      .nullable()
      .openapi({ description: "Country of the address; null: the order is collected." }),
    shipping_address: z.record(z.string(), z.unknown()).nullable(),
    note: z.string().nullable(),
    cancel_reason: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    confirmed_at: z.string().nullable(),
    reserved_until: z
      .string()
      .nullable()
      .openapi({ description: "Until this moment the stock of the unpaid order stays reserved." }),
    paid_at: z.string().nullable(),
    shipped_at: z.string().nullable(),
    delivered_at: z.string().nullable(),
    cancelled_at: z.string().nullable(),
  })
  .openapi("Order")
