// Loads everything that a decision may look at besides the order: the catalogue, stock and the price rules of this
// moment. Locks are taken in one order everywhere: the order (it is locked already), stock by product, discounts by id.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import { loadPriceRules } from "../../pricing/repository.ts"
import { loadProducts } from "../../products/repository.ts"
import type { ProductId } from "../../vocabulary/ids.ts"
import type { OrderCommand } from "../aggregate/commands.ts"
import type { Order } from "../aggregate/order.ts"
import type { Known } from "../aggregate/repricing.ts"
import type { Stock } from "../aggregate/reserve.ts"
import { lockStock } from "./order-stock.ts"

/** A command that changes no price needs nothing. Confirming locks stock and the discounts that may run out. */
export async function loadKnown(
  trx: Transaction<CommandDatabase>,
  order: Order | undefined,
  command: OrderCommand,
  terms: Pick<Known, "now" | "reservationMs">,
): Promise<Known> {
  const { now } = terms
  const outline = outlineOf(order, command)
  if (!outline) {
    return { ...terms, productOf: () => undefined, stockOf: () => undefined, priceRules: noRules(now) }
  }
  const isConfirming = command.type === "ConfirmOrder"
  const stock = isConfirming ? await lockStock(trx, outline.productIds) : new Map<string, Stock>()
  const products = await loadProducts(trx, outline.productIds)
  // An order that names no currency has that of its items.
  const currency = outline.currency ?? products.values().next().value?.price.currency
  const priceRules = await loadPriceRules(
    trx,
    { ...outline, currency },
    now,
    isConfirming ? "settling" : "looking",
  )
  return {
    ...terms,
    productOf: (id) => products.get(id),
    stockOf: (id) => stock.get(id),
    priceRules,
  }
}

function outlineOf(order: Order | undefined, command: OrderCommand) {
  if (command.type === "CreateOrder") {
    const { customerId, currency, country, discountCodes, items } = command
    return { customerId, currency, country, codes: discountCodes, productIds: productsOf(items) }
  }
  if (order?.status !== "draft" || command.type === "CancelOrder") return undefined
  const { customerId, currency, items } = order
  const { country = order.country, discountCodes = order.discountCodes } =
    command.type === "UpdateOrder" ? command : order
  const productIds = productsOf(command.type === "AddItem" ? [...items, command.item] : items)
  return { customerId, currency, country, codes: discountCodes, productIds }
}

function productsOf(items: readonly { productId: ProductId }[]): ProductId[] {
  return [...new Set(items.map(({ productId }) => productId))]
}

const noRules = (now: Date): Known["priceRules"] => ({
  now,
  discounts: [],
  shippingRules: [],
  isShippingCharged: false,
  taxRates: new Map(),
})
