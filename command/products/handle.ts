// The catalogue in Postgres. A product has no rules beyond its columns' and leaves no events, so its commands are
// statements; its version rises with each. Orders that are confirmed keep the prices they were confirmed at; a draft
// takes the new one with its next change.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import { ownXid } from "../execute/own-xid.ts"
import type { ProductId } from "../vocabulary/ids.ts"
import { toMinor } from "../vocabulary/money.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"
import type { ProductChange, ProductRequest } from "./bodies.ts"

/** A product written by the transaction with this id. */
type SavedProduct = Selectable<CommandDatabase["products"]> & { xid: string }

/** Creates a product, with stock if the request names it. An id in use shows as a violated key. */
export async function createProduct(
  trx: Transaction<CommandDatabase>,
  id: ProductId,
  { name, price, currency, weight_grams, active, stock }: ProductRequest,
  now: Date,
): Promise<Result<SavedProduct>> {
  const priceMinor = toMinor(price, currency)
  if (!priceMinor.ok) return priceMinor
  const times = { created_at: now, updated_at: now }
  const row = await trx
    .insertInto("products")
    .values({ id, name, price_minor: priceMinor.value, currency, weight_grams, active, ...times })
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  if (stock !== undefined) {
    await trx
      .insertInto("inventory")
      .values({ product_id: id, on_hand: BigInt(stock), updated_at: now })
      .execute()
  }
  return accept(row)
}

/** Overwrites the members that the change names. A price without a currency is in the present one. */
export async function changeProduct(
  trx: Transaction<CommandDatabase>,
  id: ProductId,
  { price, ...change }: ProductChange,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedProduct>> {
  const present = await trx
    .selectFrom("products")
    .select(["version", "currency"])
    .where("id", "=", id)
    .forNoKeyUpdate() // an order that names the product at the same moment need not wait
    .executeTakeFirst()
  if (!present) return refuse("product-not-found", "There is no such product.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  const priceMinor = price === undefined ? undefined : toMinor(price, change.currency ?? present.currency)
  if (priceMinor?.ok === false) return priceMinor
  const row = await trx
    .updateTable("products")
    .set({ ...change, version: sql<number>`version + 1`, updated_at: now }) // undefined members are left out
    .$if(priceMinor !== undefined, (update) => update.set({ price_minor: priceMinor?.value }))
    .where("id", "=", id)
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}
