// One order command inside its transaction: lock and load, look up prices, decide, write. When it returns an
// accepted order, order, items and event are written and wait for the commit; when it refuses, nothing is.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { refuseIfErased, refuseWordsIfErased } from "../customers/handle.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import type { CommandContext } from "../execute/origin.ts"
import type { ProviderCall } from "../payments/provider.ts"
import { countUses } from "../pricing/repository.ts"
import type { OrderId } from "../vocabulary/ids.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"
import type { CreateOrder, ExistingOrderCommand } from "./aggregate/commands.ts"
import { decide } from "./aggregate/decide.ts"
import { evolve, type OrderEvent } from "./aggregate/events.ts"
import type { Order } from "./aggregate/order.ts"
import { callsOf } from "./aggregate/provider-calls.ts"
import { type Asking, saveCalls } from "./store/calls.ts"
import { loadKnown } from "./store/known.ts"
import { savePayments } from "./store/payment-rows.ts"
import { lockOrder, type OrderDetails, type SavedOrder, saveOrder } from "./store/repository.ts"
import { saveShipments } from "./store/shipment-rows.ts"

export type OrderContext = CommandContext & {
  /** How long stock is kept for an order that is confirmed and not paid. */
  reservationMs: number
}

/** Creates an order. An unknown customer shows as a foreign-key violation (see constraints.ts). */
export async function createOrder(
  trx: Transaction<CommandDatabase>,
  command: CreateOrder,
  details: OrderDetails,
  { now, origin, reservationMs }: OrderContext,
): Promise<Result<SavedOrder>> {
  const erased = await refuseIfErased(trx, command.customerId)
  if (erased) return erased
  const known = await loadKnown(trx, undefined, command, { now, reservationMs })
  const decision = decide(undefined, command, known)
  if (!decision.ok) return decision
  const created = { order: evolve(undefined, decision.value), details }
  const xid = await saveOrder(trx, [], created, decision.value, origin)
  return accept({ ...created, xid })
}

export type ChangeOrder = {
  orderId: OrderId
  command: ExistingOrderCommand
  ifMatch: IfMatch | undefined
  /** Details to overwrite; null clears. */
  details?: Partial<OrderDetails>
  /** By whom the provider is asked, if it has to be; by the schedule without it. */
  asking?: Asking
}

/** The changed order, and the requests to send to the provider now. */
export type ChangedOrder = SavedOrder & { calls: ProviderCall[] }

const askedBySchedule: Asking = { methodToken: null, idempotencyKey: null, afterMs: 0 }

/** Changes an order that exists, if `ifMatch` allows its present version. */
export async function changeOrder(
  trx: Transaction<CommandDatabase>,
  { orderId, command, ifMatch, details = {}, asking = askedBySchedule }: ChangeOrder,
  { now, origin, reservationMs }: OrderContext,
): Promise<Result<ChangedOrder>> {
  const stored = await lockOrder(trx, orderId)
  if (!stored) return refuse("order-not-found", "There is no such order.")
  const mismatch = refuseUnlessMatching(ifMatch, stored.order.version)
  if (mismatch) return mismatch
  // The only words that an order takes when it is closed, and only then can its customer be erased.
  if (command.type === "RefundOrder" && command.reason !== null) {
    const erased = await refuseWordsIfErased(trx, stored.order.customerId)
    if (erased) return erased
  }
  const known = await loadKnown(trx, stored.order, command, { now, reservationMs })
  const decision = decide(stored.order, command, known)
  if (!decision.ok) return decision
  const changed = {
    order: evolve(stored.order, decision.value),
    details: { ...stored.details, ...details },
  }
  const { value: event } = decision
  if (changed.order.fulfilment !== stored.order.fulfilment) {
    const reason = event.type === "RefundRequested" ? event.reason : null
    await savePayments(trx, stored.order.fulfilment, changed.order, reason)
    await saveShipments(trx, stored.order.fulfilment, changed.order)
  }
  await countDiscounts(trx, stored.order, changed.order, event)
  const calls = await saveCalls(trx, callsOf(changed.order, event), asking)
  const xid = await saveOrder(trx, stored.order.items, changed, event, origin)
  return accept({ ...changed, xid, calls })
}

/** Confirming uses its discounts up; cancelling gives them back. A draft has used none. */
async function countDiscounts(
  trx: Transaction<CommandDatabase>,
  before: Order,
  { breakdown }: Order,
  { type }: OrderEvent,
): Promise<void> {
  const ids = breakdown?.discounts.map(({ id }) => id) ?? []
  if (type === "OrderConfirmed") await countUses(trx, ids, 1)
  if (type === "OrderCancelled" && before.status !== "draft") await countUses(trx, ids, -1)
}
