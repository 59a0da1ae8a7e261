// Stock in Postgres, one row per product that is kept in stock. The stock on hand is never less than the stock that
// confirmed orders have reserved; the rows' locks make a change here and a reservation take turns.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import { ownXid } from "../execute/own-xid.ts"
import type { ProductId } from "../vocabulary/ids.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import { fitsStock } from "./bodies.ts"

type StockRow = Selectable<CommandDatabase["inventory"]>
/** Stock written by the transaction with this id. */
type SavedStock = StockRow & { xid: string }

/** Says how much is on hand. A product that was not kept in stock is from now on. */
export async function setStock(
  trx: Transaction<CommandDatabase>,
  productId: ProductId,
  onHand: bigint,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedStock>> {
  const present = await lockStock(trx, productId)
  if (present) return await changeStock(trx, present, onHand, ifMatch, now)
  if (ifMatch !== undefined) return noVersion()
  const created = await trx
    .insertInto("inventory")
    .values({ product_id: productId, on_hand: onHand, updated_at: now })
    .onConflict((conflict) => conflict.column("product_id").doNothing())
    .returningAll()
    .returning(ownXid)
    .executeTakeFirst()
  // Another request was faster: its row is there now.
  return created ? accept(created) : setStock(trx, productId, onHand, ifMatch, now)
}

/** Adds to the stock on hand, or takes away from it. */
export async function adjustStock(
  trx: Transaction<CommandDatabase>,
  productId: ProductId,
  delta: bigint,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedStock>> {
  const present = await lockStock(trx, productId)
  return present
    ? await changeStock(trx, present, present.on_hand + delta, ifMatch, now)
    : await refuseUnkept(trx, productId)
}

/**
 * Keeps the product in stock no more, and returns the transaction's id. Refused while orders have reserved some of it:
 * shipping and cancelling give back to a row that must be there.
 */
export async function removeStock(
  trx: Transaction<CommandDatabase>,
  productId: ProductId,
  ifMatch: IfMatch | undefined,
): Promise<Result<string>> {
  const present = await lockStock(trx, productId)
  if (!present) return await refuseUnkept(trx, productId)
  const refused = refuseUnlessMatching(ifMatch, present.version) ?? refuseBelowReserved(present, 0n)
  if (refused) return refused
  const { xid } = await trx
    .deleteFrom("inventory")
    .where("product_id", "=", productId)
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(xid)
}

async function lockStock(
  trx: Transaction<CommandDatabase>,
  productId: ProductId,
): Promise<StockRow | undefined> {
  return await trx
    .selectFrom("inventory")
    .selectAll()
    .where("product_id", "=", productId)
    .forUpdate()
    .executeTakeFirst()
}

async function changeStock(
  trx: Transaction<CommandDatabase>,
  present: StockRow,
  onHand: bigint,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedStock>> {
  const refused = refuseUnlessMatching(ifMatch, present.version) ?? refuseBelowReserved(present, onHand)
  if (refused) return refused
  if (!fitsStock(onHand)) return refuse("amount-too-large", "That is more than can be kept in stock.")
  const row = await trx
    .updateTable("inventory")
    .set({ on_hand: onHand, version: sql<number>`version + 1`, updated_at: now })
    .where("product_id", "=", present.product_id)
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

function refuseBelowReserved(
  { product_id, on_hand, reserved }: StockRow,
  onHand: bigint,
): Refused | undefined {
  if (onHand >= reserved) return undefined
  return refuse(
    "stock-below-reserved",
    `Confirmed orders have reserved ${reserved}; ${onHand} on hand would be too few.`,
    { product_id, on_hand: Number(on_hand), reserved: Number(reserved) },
  )
}

async function refuseUnkept(trx: Transaction<CommandDatabase>, productId: ProductId): Promise<Refused> {
  const product = await trx.selectFrom("products").select("id").where("id", "=", productId).executeTakeFirst()
  if (!product) return refuse("product-not-found", "There is no such product.")
  return refuse("stock-not-kept", "The product is not kept in stock. PUT its stock to begin.")
}

const noVersion = (): Refused =>
  refuse("version-mismatch", "The product is not kept in stock, so there is no version to match.", {
    current_version: null,
  })
