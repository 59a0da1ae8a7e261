// One order command inside its transaction: lock and load, look up prices, decide, write. When it returns an
// accepted order, order, items and event are written and wait for the commit; when it refuses, nothing is.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { refuseIfErased } from "../customers/handle.ts"
import { type IfMatch, refuseUnlessMatching } from "../http/if-match.ts"
import type { OrderId } from "../ids.ts"
import { lockStock } from "../inventory/order-stock.ts"
import type { Origin } from "../origin.ts"
import { loadProducts } from "../products/repository.ts"
import { accept, type Result, refuse } from "../rejection.ts"
import { type CreateOrder, type ExistingOrderCommand, productsNamedIn } from "./commands.ts"
import { decide } from "./decide.ts"
import { evolve } from "./events.ts"
import { saveFulfilment } from "./fulfilment-rows.ts"
import type { Order } from "./order.ts"
import { lockOrder, type OrderDetails, type SavedOrder, saveOrder } from "./repository.ts"

export type CommandContext = { now: Date; origin: Origin }

export type OrderContext = CommandContext & {
  /** How long stock is kept for an order that is confirmed and not paid. */
  reservationMs: number
}

/** Creates an order. An unknown customer shows as a foreign-key violation (see database-errors.ts). */
export async function createOrder(
  trx: Transaction<CommandDatabase>,
  command: CreateOrder,
  details: OrderDetails,
  { now, origin, reservationMs }: OrderContext,
): Promise<Result<SavedOrder>> {
  const erased = await refuseIfErased(trx, command.customerId)
  if (erased) return erased
  const products = await loadProducts(trx, productsNamedIn(command))
  const known = { now, productOf: (id: string) => products.get(id), stockOf: () => undefined, reservationMs }
  const decision = decide(undefined, command, known)
  if (!decision.ok) return decision
  const created = { order: evolve(undefined, decision.value), details }
  const xid = await saveOrder(trx, created, decision.value, origin)
  return accept({ ...created, xid })
}

export type ChangeOrder = {
  orderId: OrderId
  command: ExistingOrderCommand
  ifMatch: IfMatch | undefined
  /** Details to overwrite; null clears. */
  details?: Partial<OrderDetails>
}

/** Changes an order that exists, if `ifMatch` allows its present version. */
export async function changeOrder(
  trx: Transaction<CommandDatabase>,
  { orderId, command, ifMatch, details = {} }: ChangeOrder,
  { now, origin, reservationMs }: OrderContext,
): Promise<Result<SavedOrder>> {
  const stored = await lockOrder(trx, orderId)
  if (!stored) return refuse("order-not-found", "There is no such order.")
  const mismatch = refuseUnlessMatching(ifMatch, stored.order.version)
  if (mismatch) return mismatch
  const products = await loadProducts(trx, productsNamedIn(command))
  const stock = await lockStock(trx, stockNamedIn(stored.order, command))
  const known = {
    now,
    productOf: (id: string) => products.get(id),
    stockOf: (id: string) => stock.get(id),
    reservationMs,
  }
  const decision = decide(stored.order, command, known)
  if (!decision.ok) return decision
  const changed = {
    order: evolve(stored.order, decision.value),
    details: { ...stored.details, ...details },
  }
  const { value: event } = decision
  const reason = event.type === "RefundRequested" ? event.reason : null
  await saveFulfilment(trx, stored.order.fulfilment, changed.order, reason)
  const xid = await saveOrder(trx, changed, event, origin)
  return accept({ ...changed, xid })
}

/** The products whose stock decides about the command. */
function stockNamedIn({ status, items }: Order, command: ExistingOrderCommand): string[] {
  if (command.type !== "ConfirmOrder" || status !== "draft") return []
  return [...new Set(items.map(({ productId }) => productId))]
}
