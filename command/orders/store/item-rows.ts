// The rows of an order's items after an event. Written are the rows that differ from before: prices of a draft may
// change with any line. Reserved and sent quantities are written with the shipments.
import { sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { OrderId } from "../../vocabulary/ids.ts"
import type { Item, Order } from "../aggregate/order.ts"

/**
 * Parts of a WITH clause, each begun by a comma, that turn the old items into the new ones; rows that are the same are
 * left alone.
 */
export function writeItems(trx: Transaction<CommandDatabase>, order: Order, before: readonly Item[]) {
  const { id, items, updatedAt } = order
  const old = new Map(before.map((item) => [item.line, item]))
  const changed = items.filter((item) => !isSame(item, old.get(item.line)))
  const present = new Set(items.map((item) => item.line))
  const removed = before.filter(({ line }) => !present.has(line)).map(({ line }) => line)
  const saved = changed.length > 0 && sql`, saved_items as (${upsertItems(trx, id, changed, updatedAt)})`
  const deleted =
    removed.length > 0 &&
    sql`, deleted_items as (${trx.deleteFrom("order_items").where("order_id", "=", id).where("line", "in", removed)})`
  return [saved, deleted].filter((write) => write !== false)
}

function isSame(item: Item, old: Item | undefined): boolean {
  return old?.quantity === item.quantity && old.unitPriceMinor === item.unitPriceMinor
}

function upsertItems(trx: Transaction<CommandDatabase>, orderId: OrderId, items: readonly Item[], at: Date) {
  const rows = items.map((item) => ({
    order_id: orderId,
    line: item.line,
    product_id: item.productId,
    quantity: item.quantity,
    unit_price_minor: item.unitPriceMinor,
    created_at: at,
    updated_at: at,
  }))
  return trx
    .insertInto("order_items")
    .values(rows)
    .onConflict((conflict) =>
      conflict.columns(["order_id", "line"]).doUpdateSet((row) => ({
        quantity: row.ref("excluded.quantity"),
        unit_price_minor: row.ref("excluded.unit_price_minor"),
        updated_at: row.ref("excluded.updated_at"),
      })),
    )
}
