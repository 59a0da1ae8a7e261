// The provider's answer becomes part of the order, in one transaction: the request is closed, the event follows, and a
// keyed command's stored answer is replaced. An answer that comes again finds no open request and changes nothing.
import { sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import type { Done } from "../execute/execute.ts"
import { replaceAnswer } from "../execute/idempotency.ts"
import { accept, type Result, refuse } from "../execute/rejection.ts"
import type { ExistingOrderCommand } from "../orders/aggregate/commands.ts"
import type { Order } from "../orders/aggregate/order.ts"
import { awaitsProvider } from "../orders/aggregate/sums.ts"
import { changeOrder, type OrderContext } from "../orders/handle.ts"
import { orderDone } from "../orders/http/order-answer.ts"
import { closeCall, findCall, type ProviderCall } from "../orders/store/calls.ts"
import { lockOrder } from "../orders/store/repository.ts"
import type { Outcome } from "./provider.ts"

/** Records it, and answers with the order as it is then. */
export async function recordOutcome(
  trx: Transaction<CommandDatabase>,
  call: ProviderCall,
  outcome: Outcome,
  context: OrderContext,
): Promise<Result<Done>> {
  const { orderId } = call
  const stored = await lockOrder(trx, orderId)
  if (!stored) return refuse("order-not-found", "There is no such order.")
  const isNew = outcome.state !== "unknown" || !isUnknown(stored.order, call)
  const waiting = outcome.state === "unknown" ? await findCall(trx, call.key) : await closeCall(trx, call.key)
  if (!waiting || !isNew)
    return accept(orderDone({ ...stored, xid: await ownXid(trx) }, statusOf(stored.order)))

  const command: ExistingOrderCommand =
    call.refund === null
      ? { type: "RecordPayment", payment: call.payment, outcome }
      : { type: "RecordRefund", refund: call.refund, outcome }
  const result = await changeOrder(trx, { orderId, command, ifMatch: undefined }, context)
  if (!result.ok) return result
  const done = orderDone(result.value, statusOf(result.value.order))
  if (waiting.idempotencyKey !== null) {
    await replaceAnswer(trx, waiting.idempotencyKey, waiting.createdAt, done.answer)
  }
  return accept(done)
}

function isUnknown({ fulfilment }: Order, { payment, refund }: ProviderCall): boolean {
  const found =
    refund === null
      ? fulfilment.payments.find((one) => one.payment === payment)
      : fulfilment.refunds.find((one) => one.refund === refund)
  return found?.status === "unknown"
}

const statusOf = ({ fulfilment }: Order): 200 | 202 => (awaitsProvider(fulfilment) ? 202 : 200)

async function ownXid(trx: Transaction<CommandDatabase>): Promise<string> {
  const { rows } = await sql<{ xid: string }>`select pg_current_xact_id()::text as xid`.execute(trx)
  return rows[0]?.xid ?? ""
}
