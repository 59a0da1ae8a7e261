// The rules of an order that is not confirmed yet, pure. Items, country and discount codes change only here, and every
// accepted change prices the whole draft again. Confirming needs an item, reserves stock and freezes the price.

import { refuseUnlessCodesApply, refuseUnlessSendable } from "../../pricing/price.ts"
import { formatAmount, parseAmount, toMoneyBody } from "../../vocabulary/money.ts"
import { accept, type Refused, type Result, refuse } from "../../vocabulary/rejection.ts"
import type { ConfirmOrder, CreateOrder, DraftCommand, UpdateOrder } from "./commands.ts"
import type { OrderEvent } from "./events.ts"
import { type DraftOrder, type Item, withoutLine, withQuantity } from "./order.ts"
import { type Known, type Repriced, reprice } from "./repricing.ts"
import { maximumLines, refuseUnlessSold, takeItem, takeItems, tooManyLines } from "./requested-items.ts"
import { reserveStock } from "./reserve.ts"

/** A new draft of the items at the catalogue's prices. */
export function decideCreate(command: CreateOrder, known: Known): Result<OrderEvent> {
  const taken = takeItems(command.items, command.currency, known)
  if (!taken.ok) return taken
  const { orderId, customerId, country, discountCodes, fields } = command
  const { items, currency } = taken.value
  const repriced = reprice({ customerId, currency, country, discountCodes, items }, known)
  if (!repriced.ok) return repriced
  const { basket, pricing } = repriced.value
  const useless = refuseUnlessCodesApply(basket, known.priceRules, "whatever-comes")
  if (useless) return useless
  return accept({
    type: "OrderCreated",
    orderId,
    customerId,
    currency,
    country,
    discountCodes,
    items,
    fields,
    pricing,
    version: 1,
    at: known.now,
  })
}

/** The event that follows from a command on a draft. */
export function decideDraft(order: DraftOrder, command: DraftCommand, known: Known): Result<OrderEvent> {
  const next = { version: order.version + 1, at: known.now }
  switch (command.type) {
    case "AddItem": {
      if (order.items.length >= maximumLines) return tooManyLines()
      const taken = takeItem(command.item, order.lastLine + 1, order.currency, known)
      if (!taken.ok) return taken
      const { item } = taken.value
      const repriced = repriceWith(order, [...order.items, item], known)
      return repriced.ok ? accept({ type: "ItemAdded", item, repriced: repriced.value, ...next }) : repriced
    }
    case "ChangeItem": {
      const { line, quantity } = command
      if (!hasLine(order, line)) return noLine(line)
      const items = withQuantity(order.items, line, quantity)
      const repriced = repriceWith(order, items, known)
      return repriced.ok
        ? accept({ type: "ItemChanged", line, quantity, repriced: repriced.value, ...next })
        : repriced
    }
    case "RemoveItem": {
      const { line } = command
      if (!hasLine(order, line)) return noLine(line)
      const repriced = repriceWith(order, withoutLine(order.items, line), known)
      return repriced.ok ? accept({ type: "ItemRemoved", line, repriced: repriced.value, ...next }) : repriced
    }
    case "UpdateOrder":
      return decideUpdate(order, command, known)
    case "ConfirmOrder":
      return decideConfirm(order, command, known)
    default:
      return command satisfies never
  }
}

/** Codes that the customer names now must apply or may still apply; codes named before may have expired. */
function decideUpdate(order: DraftOrder, command: UpdateOrder, known: Known): Result<OrderEvent> {
  const { type: _, fields, ...changed } = command
  const repriced = reprice({ ...order, ...changed }, known)
  if (!repriced.ok) return repriced
  const { basket, prices, pricing } = repriced.value
  if (changed.discountCodes) {
    const useless = refuseUnlessCodesApply(basket, known.priceRules, "whatever-comes")
    if (useless) return useless
  }
  const next = { version: order.version + 1, at: known.now }
  return accept({ type: "OrderUpdated", fields, ...changed, repriced: { prices, pricing }, ...next })
}

function decideConfirm(order: DraftOrder, command: ConfirmOrder, known: Known): Result<OrderEvent> {
  if (order.items.length === 0) return refuse("order-empty", "An order needs an item to be confirmed.")
  for (const { productId } of order.items) {
    const product = known.productOf(productId)
    const unsold = product && refuseUnlessSold(productId, product, order.currency)
    if (unsold) return unsold
  }
  const repriced = reprice(order, known)
  if (!repriced.ok) return repriced
  const { basket, prices, pricing } = repriced.value
  const refused =
    refuseUnlessCodesApply(basket, known.priceRules, "as-it-is") ??
    refuseUnlessSendable(basket, pricing, known.priceRules) ??
    refuseUnlessExpected(command.expectedTotal, pricing.totalMinor, order.currency)
  if (refused) return refused
  const reserved = reserveStock(order.items, known.stockOf)
  if (!reserved.ok) return reserved
  return accept({
    type: "OrderConfirmed",
    repriced: { prices, pricing },
    reserved: reserved.value,
    reservedUntil: new Date(known.now.getTime() + known.reservationMs),
    version: order.version + 1,
    at: known.now,
  })
}

function refuseUnlessExpected(
  expected: string | undefined,
  totalMinor: bigint,
  currency: string,
): Refused | undefined {
  if (expected === undefined || parseAmount(expected, currency) === totalMinor) return undefined
  const total = { amountMinor: totalMinor, currency }
  return refuse(
    "price-mismatch",
    `The total is ${formatAmount(total)} ${currency}, not ${expected}. Look at it again, then repeat.`,
    { current_total: toMoneyBody(total) },
  )
}

function repriceWith(order: DraftOrder, items: readonly Item[], known: Known): Result<Repriced> {
  const repriced = reprice({ ...order, items }, known)
  if (!repriced.ok) return repriced
  const { prices, pricing } = repriced.value
  return accept({ prices, pricing })
}

function hasLine(order: DraftOrder, line: number): boolean {
  return order.items.some((item) => item.line === line)
}

function noLine(line: number): Refused {
  return refuse("line-not-found", `The order has no line ${line}.`)
}
