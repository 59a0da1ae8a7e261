// A quote: the price of confirming such an order at this moment, or the reason why it would be refused. Nothing is
// written and nothing is promised: prices and uses of discounts may be others a moment later.
import type { Kysely } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { RequestedItem } from "../orders/aggregate/commands.ts"
import type { Item } from "../orders/aggregate/order.ts"
import { takeItems } from "../orders/aggregate/requested-items.ts"
import type { Pricing } from "../pricing/basket.ts"
import { price, refuseUnlessCodesApply, refuseUnlessSendable } from "../pricing/price.ts"
import { loadPriceRules } from "../pricing/repository.ts"
import { loadProducts } from "../products/repository.ts"
import type { CustomerId } from "../vocabulary/ids.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"

export type QuoteRequest = {
  customerId: CustomerId | undefined
  currency: string | undefined
  country: string | null
  codes: readonly string[]
  items: readonly RequestedItem[]
}

export type Quote = { currency: string; items: readonly Item[]; pricing: Pricing }

/** All of it is read in one snapshot. */
export async function quote(
  db: Kysely<CommandDatabase>,
  { items: requested, currency: named, ...recipient }: QuoteRequest,
  now: Date,
): Promise<Result<Quote>> {
  const transaction = db.transaction().setIsolationLevel("repeatable read").setAccessMode("read only")
  return await transaction.execute(async (trx): Promise<Result<Quote>> => {
    const unknown = await refuseUnlessCustomer(trx, recipient.customerId)
    if (unknown) return unknown
    const productIds = [...new Set(requested.map(({ productId }) => productId))]
    const products = await loadProducts(trx, productIds)
    const taken = takeItems(requested, named, { productOf: (id) => products.get(id) })
    if (!taken.ok) return taken
    const { items, currency } = taken.value
    const lines = items.map((item) => ({
      ...item,
      weightGrams: products.get(item.productId)?.weightGrams ?? 0,
    }))
    const basket = { ...recipient, currency, lines }
    const rules = await loadPriceRules(trx, { ...recipient, currency, productIds }, now, "looking")
    const priced = price(basket, rules)
    if (!priced.ok) return priced
    const refused =
      refuseUnlessCodesApply(basket, rules, "as-it-is") ?? refuseUnlessSendable(basket, priced.value, rules)
    return refused ?? accept({ currency, items, pricing: priced.value })
  })
}

async function refuseUnlessCustomer(db: Kysely<CommandDatabase>, id: CustomerId | undefined) {
  if (id === undefined) return undefined
  const row = await db.selectFrom("customers").select("erased_at").where("id", "=", id).executeTakeFirst()
  if (!row) return refuse("customer-unknown", "There is no such customer.")
  return row.erased_at ? refuse("customer-erased", "The customer was erased.") : undefined
}
