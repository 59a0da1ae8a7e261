// The provider's answer becomes part of the order, in one transaction: the request is closed, the event follows, and a
// keyed command's stored answer is replaced. An answer that comes again finds no open request and changes nothing.
import { replaceAnswer } from "../../execute/idempotency.ts"
import { readOwnXid } from "../../execute/own-xid.ts"
import type { ProviderCall } from "../../payments/provider.ts"
import type { RecordOutcome } from "../../payments/settle.ts"
import { accept, refuse } from "../../vocabulary/rejection.ts"
import type { ExistingOrderCommand } from "../aggregate/commands.ts"
import type { Order } from "../aggregate/order.ts"
import { awaitsProvider } from "../aggregate/payment.ts"
import { changeOrder } from "../handle.ts"
import { closeCall, findCall } from "../store/calls.ts"
import { lockOrder } from "../store/repository.ts"
import { orderDone } from "./order-answer.ts"

/** Records the outcome, and answers with the order as it is then. */
export const recordOutcome: RecordOutcome = async (trx, call, outcome, context) => {
  const { orderId } = call
  const stored = await lockOrder(trx, orderId)
  if (!stored) return refuse("order-not-found", "There is no such order.")
  const isNew = outcome.state !== "unknown" || !isUnknown(stored.order, call)
  const waiting = outcome.state === "unknown" ? await findCall(trx, call.key) : await closeCall(trx, call.key)
  if (!waiting || !isNew) {
    return accept(orderDone({ ...stored, xid: await readOwnXid(trx) }, statusOf(stored.order)))
  }
  const command: ExistingOrderCommand =
    call.refund === null
      ? { type: "RecordPayment", payment: call.payment, outcome }
      : { type: "RecordRefund", refund: call.refund, outcome }
  const change = { orderId, command, ifMatch: undefined }
  // An answer reserves no stock.
  const result = await changeOrder(trx, change, { ...context, reservationMs: 0 })
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
