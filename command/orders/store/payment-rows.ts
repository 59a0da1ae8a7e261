// The rows of an order's payments and refunds. Written are the rows that an event has changed, by comparing before and
// after.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { Order } from "../aggregate/order.ts"
import type { Payment, Payments, Refund } from "../aggregate/payment.ts"

/** Reads them for an order that is locked. */
export async function loadPayments(trx: Transaction<CommandDatabase>, orderId: string): Promise<Payments> {
  const payments = await trx
    .selectFrom("payments")
    .selectAll()
    .where("order_id", "=", orderId)
    .orderBy("payment")
    .execute()
  const refunds = await trx
    .selectFrom("refunds")
    .selectAll()
    .where("order_id", "=", orderId)
    .orderBy("refund")
    .execute()
  return {
    payments: payments.map((row) => ({
      payment: row.payment,
      status: row.status,
      amountMinor: row.amount_minor,
      capturedMinor: row.captured_minor,
      refundedMinor: row.refunded_minor,
      provider: row.provider,
      reference: row.provider_reference,
      failure: row.failure,
    })),
    refunds: refunds.map((row) => ({
      refund: row.refund,
      payment: row.payment,
      status: row.status,
      amountMinor: row.amount_minor,
      reference: row.provider_reference,
      failure: row.failure,
    })),
  }
}

/** Writes the payments and refunds of the changed order; `refundReason` is for refunds that are new. */
export async function savePayments(
  trx: Transaction<CommandDatabase>,
  before: Payments,
  order: Order,
  refundReason: string | null,
): Promise<void> {
  const { payments, refunds } = order.fulfilment
  for (const payment of payments) {
    const old = before.payments.find((one) => one.payment === payment.payment)
    if (old?.status === payment.status && old.refundedMinor === payment.refundedMinor) continue
    await savePayment(trx, order, payment)
  }
  for (const refund of refunds) {
    const old = before.refunds.find((one) => one.refund === refund.refund)
    if (old?.status !== refund.status) await saveRefund(trx, order, refund, refundReason)
  }
}

async function savePayment(
  trx: Transaction<CommandDatabase>,
  order: Order,
  { payment, status, amountMinor, capturedMinor, refundedMinor, provider, reference, failure }: Payment,
): Promise<void> {
  const changing = {
    status,
    captured_minor: capturedMinor,
    refunded_minor: refundedMinor,
    provider_reference: reference,
    failure,
    updated_at: order.updatedAt,
  }
  await trx
    .insertInto("payments")
    .values({ ...keptOf(order), payment, amount_minor: amountMinor, provider, ...changing })
    .onConflict((conflict) => conflict.columns(["order_id", "payment"]).doUpdateSet(changing))
    .execute()
}

async function saveRefund(
  trx: Transaction<CommandDatabase>,
  order: Order,
  { refund, payment, status, amountMinor, reference, failure }: Refund,
  reason: string | null,
): Promise<void> {
  const changing = { status, provider_reference: reference, failure, updated_at: order.updatedAt }
  await trx
    .insertInto("refunds")
    .values({ ...keptOf(order), refund, payment, amount_minor: amountMinor, reason, ...changing })
    .onConflict((conflict) => conflict.columns(["order_id", "refund"]).doUpdateSet(changing))
    .execute()
}

/** Columns that stay as the row began. */
const keptOf = ({ id, currency, updatedAt }: Order) => ({ order_id: id, currency, created_at: updatedAt })
