// The JSON of orders: the members of requests and of answers. Requests are strict; every limit on
// size stands here and so also in /openapi.json.
import { z } from "@hono/zod-openapi"
import { discountCodes, pricingBody, toPricingBody } from "../../pricing/bodies.ts"
import { addressBody, addressOrNull } from "../../vocabulary/address.ts"
import { customerId, productId } from "../../vocabulary/ids.ts"
import { currencyCode, decimalAmount, moneyBody, toMoneyBody } from "../../vocabulary/money.ts"
import { text } from "../../vocabulary/text.ts"
import type { RequestedItem } from "../aggregate/commands.ts"
import { itemTotal, orderSums } from "../aggregate/order.ts"
import { maximumLines } from "../aggregate/requested-items.ts"
import { reservedOf, shippedOf } from "../aggregate/shipment.ts"
import type { StoredOrder } from "../store/repository.ts"
import { paymentShape, toPaymentBody } from "./payment-body.ts"
import { shipmentShape, toShipmentBody } from "./shipment-body.ts"

const quantity = z.number().int().min(1).max(100_000)
const note = text(2_000)

const price = decimalAmount.openapi({
  example: 29.99,
  description: "Checked against the catalogue, never taken from here.",
})

const requestedItem = z.strictObject({ product_id: productId, quantity, price: price.optional() }).transform(
  (item): RequestedItem => ({
    productId: item.product_id,
    quantity: item.quantity,
    price: item.price,
  }),
)

export const itemRequest = requestedItem
export const itemChange = z.strictObject({ quantity })
export const confirmation = z.strictObject({
  expected_total: decimalAmount
    .optional()
    .openapi({ example: "59.98", description: "Refused if the order costs anything else now." }),
})
export const cancellation = z.strictObject({ reason: text(500) })

export const orderRequest = z.strictObject({
  customer_id: customerId,
  items: z.array(requestedItem).max(maximumLines),
  currency: currencyCode.optional(),
  shipping_address: addressBody.optional(),
  discount_codes: discountCodes.optional(),
  note: note.optional(),
})

export const orderChange = z
  .strictObject({
    shipping_address: addressOrNull,
    discount_codes: discountCodes,
    note: note.nullable(),
  })
  .partial()
  .refine((change) => Object.keys(change).length > 0, "must name what to change")

const time = z.iso.datetime()

export const orderBody = z
  .object({
    id: z.string(),
    customer_id: z.string(),
    status: z.enum(["draft", "confirmed", "paid", "shipped", "delivered", "cancelled"]),
    currency: currencyCode,
    items: z.array(
      z.object({
        line: z.number().int(),
        product_id: z.string(),
        quantity: z.number().int(),
        unit_price: moneyBody,
        total: moneyBody,
        reserved: z.number().int().openapi({ description: "Kept in stock for this line." }),
        shipped: z.number().int(),
      }),
    ),
    subtotal: moneyBody,
    discount: moneyBody,
    shipping: moneyBody,
    tax: moneyBody,
    total: moneyBody,
    discount_codes: z.array(z.string()),
    pricing: z.union([pricingBody, z.null()]),
    shipping_address: z.unknown().openapi({ type: ["object", "null"] }),
    note: z.string().nullable(),
    version: z.number().int(),
    created_at: time,
    updated_at: time,
    confirmed_at: time.nullable(),
    ...paymentShape,
    ...shipmentShape,
    reserved_until: time.nullable(),
    paid_at: time.nullable(),
    shipped_at: time.nullable(),
    delivered_at: time.nullable(),
    cancelled_at: time.nullable(),
    cancel_reason: z.string().nullable(),
  })
  .openapi("Order")

/** The order as the write side sees it. */
export function toOrderBody({ order, details }: StoredOrder): z.infer<typeof orderBody> {
  const { currency, status } = order
  const iso = (moment: Date | null) => moment?.toISOString() ?? null
  const money = (amountMinor: bigint) => toMoneyBody({ amountMinor, currency })
  const { subtotalMinor, totalMinor } = orderSums(order)
  const cancelled = order.status === "cancelled" ? order : undefined
  return {
    id: order.id,
    customer_id: order.customerId,
    status,
    currency,
    items: order.items.map((item) => ({
      line: item.line,
      product_id: item.productId,
      quantity: item.quantity,
      unit_price: money(item.unitPriceMinor),
      total: toMoneyBody(itemTotal(item, currency)),
      reserved: reservedOf(order.fulfilment, item.line),
      shipped: shippedOf(order.fulfilment, item.line),
    })),
    subtotal: money(subtotalMinor),
    discount: money(order.discountMinor),
    shipping: money(order.shippingMinor),
    tax: money(order.taxMinor),
    total: money(totalMinor),
    discount_codes: [...order.discountCodes],
    pricing: order.breakdown && toPricingBody(order.breakdown, currency),
    shipping_address: details.shippingAddress ?? null,
    note: details.note,
    version: order.version,
    created_at: order.createdAt.toISOString(),
    updated_at: order.updatedAt.toISOString(),
    confirmed_at: status === "draft" ? null : iso(order.confirmedAt),
    ...toPaymentBody(order),
    ...toShipmentBody(order),
    reserved_until: status === "confirmed" ? iso(order.reservedUntil) : null,
    paid_at: status === "draft" || status === "confirmed" ? null : iso(order.paidAt),
    shipped_at: status === "shipped" || status === "delivered" ? iso(order.shippedAt) : null,
    delivered_at: status === "delivered" ? iso(order.deliveredAt) : null,
    cancelled_at: cancelled?.cancelledAt.toISOString() ?? null,
    cancel_reason: cancelled?.cancelReason ?? null,
  }
}
