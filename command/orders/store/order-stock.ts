// The stock that orders reserve and take, in Postgres. A command locks the stock rows in the order of product id, so
// commands that share products wait for each other and never deadlock. Example: two orders of products A and B both
// lock A first.
import { sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { Stock } from "../aggregate/reserve.ts"

/** By how much a product's stock and reservations change. */
export type StockChange = { onHand: bigint; reserved: bigint }

/** Locks these products' stock until the transaction ends, and reads it. A product not kept in stock is absent. */
export async function lockStock(
  trx: Transaction<CommandDatabase>,
  productIds: readonly string[],
): Promise<Map<string, Stock>> {
  if (productIds.length === 0) return new Map()
  const rows = await trx
    .selectFrom("inventory")
    .select(["product_id", "on_hand", "reserved"])
    .where("product_id", "in", productIds)
    .orderBy("product_id")
    .forUpdate()
    .execute()
  return new Map(rows.map((row) => [row.product_id, { onHand: row.on_hand, reserved: row.reserved }]))
}

/** Applies the changes, which are keyed by product id. */
export async function changeStock(
  trx: Transaction<CommandDatabase>,
  changes: ReadonlyMap<string, StockChange>,
  at: Date,
): Promise<void> {
  if (changes.size === 0) return
  const productIds = [...changes.keys()]
  // The update itself locks a single row.
  if (changes.size > 1) await lockStock(trx, productIds)
  const amounts = [...changes.values()]
  await sql`
    update inventory
    set on_hand = inventory.on_hand + change.on_hand, reserved = inventory.reserved + change.reserved,
      version = inventory.version + 1, updated_at = ${at}
    from unnest(${productIds}::text[], ${amounts.map(({ onHand }) => onHand)}::bigint[],
      ${amounts.map(({ reserved }) => reserved)}::bigint[]) as change (product_id, on_hand, reserved)
    where inventory.product_id = change.product_id`.execute(trx)
}
