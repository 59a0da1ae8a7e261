// The prices of a draft, pure: its lines at the catalogue's prices of the moment, and the sums that follow.
// Every accepted change of a draft goes through here, confirming it too; then they are frozen.

import type { Basket, Pricing } from "../../pricing/basket.ts"
import { type PriceRules, price } from "../../pricing/price.ts"
import type { Product } from "../../products/product.ts"
import { accept, type Result } from "../../vocabulary/rejection.ts"
import type { DraftOrder, Item } from "./order.ts"
import type { StockOf } from "./reserve.ts"

/** A decision may look at this besides the order: the moment, the catalogue, stock that is locked, price rules. */
export type Known = {
  now: Date
  productOf: (productId: string) => Product | undefined
  stockOf: StockOf
  /** How long stock is kept for an order that is confirmed and not paid. */
  reservationMs: number
  priceRules: PriceRules
}

export type LinePrice = { line: number; unitPriceMinor: bigint }

/** The lines whose unit price became another, and the sums of the whole order. */
export type Repriced = { prices: readonly LinePrice[]; pricing: Pricing }

/** An order's price depends on these. */
export type Priceable = Pick<DraftOrder, "customerId" | "currency" | "country" | "discountCodes" | "items">

/** Refused as `amount-too-large` only. */
export function reprice(order: Priceable, known: Known): Result<Repriced & { basket: Basket }> {
  const prices: LinePrice[] = []
  const lines = order.items.map((item) => {
    const unitPriceMinor = currentPrice(item, order.currency, known)
    if (unitPriceMinor !== item.unitPriceMinor) prices.push({ line: item.line, unitPriceMinor })
    const weightGrams = known.productOf(item.productId)?.weightGrams ?? 0
    return { productId: item.productId, quantity: item.quantity, unitPriceMinor, weightGrams }
  })
  const { customerId, currency, country, discountCodes } = order
  const basket = { customerId, currency, country, codes: discountCodes, lines }
  const priced = price(basket, known.priceRules)
  return priced.ok ? accept({ prices, pricing: priced.value, basket }) : priced
}

/** The items at their new prices. */
export function withPrices(items: readonly Item[], prices: readonly LinePrice[]): readonly Item[] {
  if (prices.length === 0) return items
  const priceOf = new Map(prices.map(({ line, unitPriceMinor }) => [line, unitPriceMinor]))
  return items.map((item) => ({ ...item, unitPriceMinor: priceOf.get(item.line) ?? item.unitPriceMinor }))
}

/** A product that is now sold in another currency keeps its last price here; such an order cannot be confirmed. */
function currentPrice(item: Item, currency: string, { productOf }: Known): bigint {
  const product = productOf(item.productId)
  return product?.price.currency === currency ? product.price.amountMinor : item.unitPriceMinor
}
