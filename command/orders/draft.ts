// What can be done to an order that is not confirmed yet, pure. Items change only here; confirming needs an item;
// an order has one currency; a price is the catalogue's. Naming a product twice makes two lines: lines are what
// the customer typed, not a sum per product.
import { reserveStock, type StockOf } from "../inventory/reserve.ts"
import { formatAmount, parseAmount, toMoneyBody } from "../money.ts"
import type { Product } from "../products/product.ts"
import { accept, type Refused, type Result, refuse } from "../rejection.ts"
import type { CreateOrder, DraftCommand, RequestedItem } from "./commands.ts"
import type { OrderEvent } from "./events.ts"
import { type DraftOrder, fitsColumn, type Item, type Order } from "./order.ts"

export const maximumLines = 1_000

/** What a decision may look at besides the order: the moment, the catalogue, and stock that is locked. */
export type Known = {
  now: Date
  productOf: (productId: string) => Product | undefined
  stockOf: StockOf
  /** How long stock is kept for an order that is confirmed and not paid. */
  reservationMs: number
}

/** A new draft of the items at the catalogue's prices. */
export function decideCreate(command: CreateOrder, known: Known): Result<OrderEvent> {
  if (command.items.length > maximumLines) return tooManyLines()
  let currency = command.currency
  const items: Item[] = []
  for (const [index, requested] of command.items.entries()) {
    const priced = priceItem(requested, index + 1, currency, known)
    if (!priced.ok) return priced
    currency = priced.value.currency
    items.push(priced.value.item)
  }
  if (currency === undefined) {
    return refuse("currency-required", "An order without items must name its currency.")
  }
  if (!fitsColumn(items, 0n)) return amountTooLarge()
  const { orderId, customerId, fields } = command
  return accept({
    type: "OrderCreated",
    orderId,
    customerId,
    currency,
    items,
    fields,
    version: 1,
    at: known.now,
  })
}

/** The event that follows from a command that only a draft takes. */
export function decideDraft(order: DraftOrder, command: DraftCommand, known: Known): Result<OrderEvent> {
  const next = { version: order.version + 1, at: known.now }
  switch (command.type) {
    case "AddItem": {
      if (order.items.length >= maximumLines) return tooManyLines()
      const priced = priceItem(command.item, order.lastLine + 1, order.currency, known)
      if (!priced.ok) return priced
      if (!fits(order, [...order.items, priced.value.item])) return amountTooLarge()
      return accept({ type: "ItemAdded", item: priced.value.item, ...next })
    }
    case "ChangeItem": {
      const { line, quantity } = command
      if (!hasLine(order, line)) return noLine(line)
      if (!fits(order, withQuantity(order.items, line, quantity))) return amountTooLarge()
      return accept({ type: "ItemChanged", line, quantity, ...next })
    }
    case "RemoveItem":
      if (!hasLine(order, command.line)) return noLine(command.line)
      return accept({ type: "ItemRemoved", line: command.line, ...next })
    case "ConfirmOrder":
      if (order.items.length === 0) return refuse("order-empty", "An order needs an item to be confirmed.")
      return confirm(order, known)
    default:
      return command satisfies never
  }
}

function confirm(order: DraftOrder, { now, stockOf, reservationMs }: Known): Result<OrderEvent> {
  const reserved = reserveStock(order.items, stockOf)
  if (!reserved.ok) return reserved
  return accept({
    type: "OrderConfirmed",
    reserved: reserved.value,
    reservedUntil: new Date(now.getTime() + reservationMs),
    version: order.version + 1,
    at: now,
  })
}

/** The item at the catalogue's price, if the client agrees with it and it is in the order's currency. */
function priceItem(
  requested: RequestedItem,
  line: number,
  orderCurrency: string | undefined,
  { productOf }: Known,
): Result<{ item: Item; currency: string }> {
  const { productId, quantity, price } = requested
  const product = productOf(productId)
  const about = { product_id: productId }
  if (!product) return refuse("product-unknown", "The catalogue has no such product.", about)
  if (!product.active) return refuse("product-inactive", "The product is not for sale.", about)
  const { currency, amountMinor } = product.price
  if (price !== undefined && parseAmount(price, currency) !== amountMinor) {
    return refuse(
      "price-mismatch",
      `The price is ${formatAmount(product.price)} ${currency}, not ${price}. Look at it again, then repeat.`,
      { ...about, current_price: toMoneyBody(product.price) },
    )
  }
  if (orderCurrency !== undefined && orderCurrency !== currency) {
    return refuse(
      "currency-mismatch",
      `The product is sold in ${currency}, the order is in ${orderCurrency}; an order has one currency.`,
      { ...about, order_currency: orderCurrency, product_currency: currency },
    )
  }
  return accept({ item: { line, productId, quantity, unitPriceMinor: amountMinor }, currency })
}

function fits(order: Order, items: readonly Item[]): boolean {
  return fitsColumn(items, order.shippingMinor + order.taxMinor - order.discountMinor)
}

function hasLine(order: Order, line: number): boolean {
  return order.items.some((item) => item.line === line)
}

function withQuantity(items: readonly Item[], line: number, quantity: number): Item[] {
  return items.map((item) => (item.line === line ? { ...item, quantity } : item))
}

function noLine(line: number): Refused {
  return refuse("line-not-found", `The order has no line ${line}.`)
}

function tooManyLines(): Refused {
  return refuse("too-many-lines", `An order has at most ${maximumLines} lines.`)
}

function amountTooLarge(): Refused {
  return refuse("amount-too-large", "The order's total is larger than can be stored.")
}
