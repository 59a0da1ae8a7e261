// The JSON of quotes: a basket without an order, and the price that it would have.
import { z } from "@hono/zod-openapi"
import { itemTotal } from "../orders/aggregate/order.ts"
import { maximumLines } from "../orders/aggregate/requested-items.ts"
import { itemRequest } from "../orders/http/bodies.ts"
import { discountCodes, pricingBody, toPricingBody } from "../pricing/bodies.ts"
import { countryCode } from "../vocabulary/address.ts"
import { customerId } from "../vocabulary/ids.ts"
import { currencyCode, moneyBody, toMoneyBody } from "../vocabulary/money.ts"
import type { Quote } from "./quote.ts"

export const quoteRequest = z.strictObject({
  customer_id: customerId.optional(),
  items: z.array(itemRequest).min(1).max(maximumLines),
  currency: currencyCode.optional(),
  country: countryCode.optional().openapi({ description: "Where it goes; without it, it is collected." }),
  discount_codes: discountCodes.optional(),
})

export const quoteBody = z
  .object({
    currency: currencyCode,
    items: z.array(
      z.object({
        product_id: z.string(),
        quantity: z.number().int(),
        unit_price: moneyBody,
        total: moneyBody,
      }),
    ),
    subtotal: moneyBody,
    discount: moneyBody,
    shipping: moneyBody,
    tax: moneyBody,
    total: moneyBody,
    pricing: pricingBody,
  })
  .openapi("Quote")

export function toQuoteBody({ currency, items, pricing }: Quote): z.infer<typeof quoteBody> {
  const money = (amountMinor: bigint) => toMoneyBody({ amountMinor, currency })
  return {
    currency,
    items: items.map((item) => ({
      product_id: item.productId,
      quantity: item.quantity,
      unit_price: money(item.unitPriceMinor),
      total: toMoneyBody(itemTotal(item, currency)),
    })),
    subtotal: money(pricing.subtotalMinor),
    discount: money(pricing.discountMinor),
    shipping: money(pricing.shippingMinor),
    tax: money(pricing.taxMinor),
    total: money(pricing.totalMinor),
    pricing: toPricingBody(pricing.breakdown, currency),
  }
}
