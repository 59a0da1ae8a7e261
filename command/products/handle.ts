// The catalogue in Postgres. Orders that are confirmed keep the prices they were confirmed at; a draft takes the new one
// with its next change.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type Change, type Saved, versioned } from "../execute/versioned.ts"
import type { ProductId } from "../vocabulary/ids.ts"
import { toMinor } from "../vocabulary/money.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"
import type { ProductChange, ProductRequest } from "./bodies.ts"

const products = versioned({
  table: "products",
  key: "id",
  lock: "no key update",
  missing: () => refuse("product-not-found", "There is no such product."),
})

/** Creates a product, with stock if the request names it. An id in use shows as a violated key. */
export async function createProduct(
  trx: Transaction<CommandDatabase>,
  id: ProductId,
  { price, stock, ...members }: ProductRequest,
  now: Date,
): Promise<Result<Saved<"products">>> {
  const priceMinor = toMinor(price, members.currency)
  if (!priceMinor.ok) return priceMinor
  const row = await products.create(trx, { ...members, id, price_minor: priceMinor.value }, now)
  if (stock !== undefined) {
    await trx
      .insertInto("inventory")
      .values({ product_id: id, on_hand: BigInt(stock), updated_at: now })
      .execute()
  }
  return accept(row)
}

/** Overwrites the members that the request names. A price without a currency is in the present one. */
export async function changeProduct(
  trx: Transaction<CommandDatabase>,
  id: ProductId,
  { price, ...members }: ProductChange,
  change: Change,
): Promise<Result<Saved<"products">>> {
  return await products.change(trx, id, change, (present) => {
    if (price === undefined) return accept(members)
    const priceMinor = toMinor(price, members.currency ?? present.currency)
    return priceMinor.ok ? accept({ ...members, price_minor: priceMinor.value }) : priceMinor
  })
}
