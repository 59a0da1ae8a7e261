// The rows of an order's shipments, of the stock that its items have reserved and sent, and the stock that this takes.
// Written are the rows that an event has changed, by comparing before and after.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { Order } from "../aggregate/order.ts"
import { reservedOf, type Shipment, type Shipments, shippedOf } from "../aggregate/shipment.ts"
import { changeStock, type StockChange } from "./order-stock.ts"

type ItemRow = Pick<Selectable<CommandDatabase["order_items"]>, "line" | "reserved_quantity">

/** Reads them for an order that is locked; the reserved stock is in the rows of its items. */
export async function loadShipments(
  trx: Transaction<CommandDatabase>,
  orderId: string,
  items: readonly ItemRow[],
): Promise<Shipments> {
  const shipments = await trx
    .selectFrom("shipments")
    .selectAll()
    .where("order_id", "=", orderId)
    .orderBy("shipment")
    .execute()
  const sent = await trx
    .selectFrom("shipment_items")
    .selectAll()
    .where("order_id", "=", orderId)
    .orderBy("line")
    .execute()
  return {
    reserved: items
      .filter(({ reserved_quantity }) => reserved_quantity > 0)
      .map(({ line, reserved_quantity }) => ({ line, quantity: reserved_quantity })),
    shipments: shipments.map((row) => ({
      shipment: row.shipment,
      carrier: row.carrier,
      tracking: row.tracking,
      items: sent
        .filter(({ shipment }) => shipment === row.shipment)
        .map(({ line, quantity }) => ({ line, quantity })),
      shippedAt: row.created_at,
      deliveredAt: row.delivered_at,
    })),
  }
}

/** Writes the shipments of the changed order, and the stock that it reserves, releases or sends. */
export async function saveShipments(
  trx: Transaction<CommandDatabase>,
  before: Shipments,
  order: Order,
): Promise<void> {
  for (const shipment of order.fulfilment.shipments) {
    if (!before.shipments.includes(shipment)) await saveShipment(trx, order, shipment)
  }
  await saveItems(trx, before, order)
  await changeStock(trx, stockChanges(before, order), order.updatedAt)
}

async function saveShipment(
  trx: Transaction<CommandDatabase>,
  order: Order,
  { shipment, carrier, tracking, items, shippedAt, deliveredAt }: Shipment,
): Promise<void> {
  const key = { order_id: order.id, shipment }
  const changing = { delivered_at: deliveredAt, updated_at: order.updatedAt }
  await trx
    .insertInto("shipments")
    .values({ ...key, carrier, tracking, created_at: shippedAt, ...changing })
    .onConflict((conflict) => conflict.columns(["order_id", "shipment"]).doUpdateSet(changing))
    .execute()
  await trx
    .insertInto("shipment_items")
    .values(items.map(({ line, quantity }) => ({ ...key, line, quantity })))
    .onConflict((conflict) => conflict.columns(["order_id", "shipment", "line"]).doNothing())
    .execute()
}

async function saveItems(trx: Transaction<CommandDatabase>, before: Shipments, order: Order): Promise<void> {
  const after = order.fulfilment
  const changed = order.items
    .map(({ line }) => ({ line, reserved: reservedOf(after, line), shipped: shippedOf(after, line) }))
    .filter(
      ({ line, reserved, shipped }) =>
        reserved !== reservedOf(before, line) || shipped !== shippedOf(before, line),
    )
  if (changed.length === 0) return
  await sql`
    update order_items
    set reserved_quantity = change.reserved, shipped_quantity = change.shipped, updated_at = ${order.updatedAt}
    from unnest(${changed.map(({ line }) => line)}::int[], ${changed.map(({ reserved }) => reserved)}::int[],
      ${changed.map(({ shipped }) => shipped)}::int[]) as change (line, reserved, shipped)
    where order_items.order_id = ${order.id} and order_items.line = change.line`.execute(trx)
}

/** Reserving and releasing change the reserved stock; goods sent from a reservation leave the stock too. */
function stockChanges(before: Shipments, order: Order): Map<string, StockChange> {
  const after = order.fulfilment
  const changes = new Map<string, StockChange>()
  for (const { line, productId } of order.items) {
    const reserved = reservedOf(after, line) - reservedOf(before, line)
    if (reserved === 0) continue
    const sent = Math.min(shippedOf(after, line) - shippedOf(before, line), -reserved)
    const sum = changes.get(productId) ?? { onHand: 0n, reserved: 0n }
    changes.set(productId, {
      onHand: sum.onHand - BigInt(Math.max(sent, 0)),
      reserved: sum.reserved + BigInt(reserved),
    })
  }
  return changes
}
