// The items that a customer asks for, against the catalogue: the product is for sale, in the order's currency, and at
// the price that the customer believes it to have.

import type { Product } from "../../products/product.ts"
import { formatAmount, parseAmount, toMoneyBody } from "../../vocabulary/money.ts"
import { accept, type Refused, type Result, refuse } from "../../vocabulary/rejection.ts"
import type { RequestedItem } from "./commands.ts"
import type { Item } from "./order.ts"

export const maximumLines = 1_000

type Catalogue = { productOf: (productId: string) => Product | undefined }

/**
 * The items of a new order on lines 1, 2, .. and its currency: the one named, else that of the items. Naming a
 * product twice makes two lines: an order has the lines that were typed, not a sum per product.
 */
export function takeItems(
  requested: readonly RequestedItem[],
  namedCurrency: string | undefined,
  catalogue: Catalogue,
): Result<{ items: Item[]; currency: string }> {
  if (requested.length > maximumLines) return tooManyLines()
  let currency = namedCurrency
  const items: Item[] = []
  for (const [index, one] of requested.entries()) {
    const taken = takeItem(one, index + 1, currency, catalogue)
    if (!taken.ok) return taken
    currency = taken.value.currency
    items.push(taken.value.item)
  }
  if (currency === undefined) {
    return refuse("currency-required", "An order without items must name its currency.")
  }
  return accept({ items, currency })
}

/** The item at the catalogue's price, if the customer agrees with it and it is in the order's currency. */
export function takeItem(
  requested: RequestedItem,
  line: number,
  orderCurrency: string | undefined,
  { productOf }: Catalogue,
): Result<{ item: Item; currency: string }> {
  const { productId, quantity, price } = requested
  const product = productOf(productId)
  const about = { product_id: productId }
  if (!product) return refuse("product-unknown", "The catalogue has no such product.", about)
  const { currency, amountMinor } = product.price
  const unsold = refuseUnlessSold(productId, product, orderCurrency)
  if (unsold) return unsold
  if (price !== undefined && parseAmount(price, currency) !== amountMinor) {
    return refuse(
      "price-mismatch",
      `The price is ${formatAmount(product.price)} ${currency}, not ${price}. Look at it again, then repeat.`,
      { ...about, current_price: toMoneyBody(product.price) },
    )
  }
  return accept({ item: { line, productId, quantity, unitPriceMinor: amountMinor }, currency })
}

/** The rejection if the product is not for sale, or not in the order's currency. */
export function refuseUnlessSold(
  productId: string,
  product: Product,
  orderCurrency: string | undefined,
): Refused | undefined {
  const about = { product_id: productId }
  if (!product.active) return refuse("product-inactive", "The product is not for sale.", about)
  const { currency } = product.price
  if (orderCurrency === undefined || orderCurrency === currency) return undefined
  return refuse(
    "currency-mismatch",
    `The product is sold in ${currency}, the order is in ${orderCurrency}; an order has one currency.`,
    { ...about, order_currency: orderCurrency, product_currency: currency },
  )
}

export function tooManyLines(): Refused {
  return refuse("too-many-lines", `An order has at most ${maximumLines} lines.`)
}
