// A cancelled order owes its customer this: captured payments are refunded, authorized payments voided. A payment whose
// outcome is still open is compensated when the outcome is known. Pure.
import { type Payments, refundableMinor } from "./payment.ts"
import type { Compensation, RequestedRefund } from "./payment-events.ts"

export function compensationOf(all: Payments): Compensation {
  return {
    refunds: refundsOf(all),
    voids: all.payments.filter(({ status }) => status === "authorized").map(({ payment }) => payment),
  }
}

/** Refunds of this amount, from the first payment on; all that is left without an amount. */
export function refundsOf(all: Payments, amountMinor?: bigint): RequestedRefund[] {
  const refunds: RequestedRefund[] = []
  let rest = amountMinor
  for (const payment of all.payments) {
    const refundable = refundableMinor(all, payment)
    const taken = rest === undefined || rest > refundable ? refundable : rest
    if (taken <= 0n) continue
    if (rest !== undefined) rest -= taken
    const refund = all.refunds.length + refunds.length + 1
    refunds.push({ refund, payment: payment.payment, amountMinor: taken })
  }
  return refunds
}
