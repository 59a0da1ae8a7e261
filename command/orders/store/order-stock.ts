// The stock that orders reserve and take, in Postgres. Its rows are locked in order of product id, so that commands that share products wait for each
// other instead of for ever.
import { sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { Stock } from "../aggregate/reserve.ts"

/** How much stock and reservations of a product change. */
export type StockChange = { onHand: bigint; reserved: bigint }

/** Locks the stock of these products until the transaction ends, then reads it; products that are not kept are absent. */
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

/** Applies the changes by product. */
export async function changeStock(
  trx: Transaction<CommandDatabase>,
  changes: ReadonlyMap<string, StockChange>,
  at: Date,
): Promise<void> {
  if (changes.size === 0) return
  const productIds = [...changes.keys()]
  // A single row is locked by its update.
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
