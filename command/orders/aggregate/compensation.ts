// What a cancelled order owes its customer: captured payments are refunded, authorized ones voided. Payments whose
// outcome is still open are compensated when it is known. Pure.
import type { Fulfilment } from "./fulfilment.ts"
import type { Compensation, RequestedRefund } from "./fulfilment-events.ts"
import { refundableMinor } from "./sums.ts"

export function compensationOf(fulfilment: Fulfilment): Compensation {
  return {
    refunds: refundsOf(fulfilment),
    voids: fulfilment.payments.filter(({ status }) => status === "authorized").map(({ payment }) => payment),
  }
}

/** Refunds of this amount, from the first payment on; all that is left without an amount. */
export function refundsOf(fulfilment: Fulfilment, amountMinor?: bigint): RequestedRefund[] {
  const refunds: RequestedRefund[] = []
  let rest = amountMinor
  for (const payment of fulfilment.payments) {
    const refundable = refundableMinor(fulfilment, payment)
    const taken = rest === undefined || rest > refundable ? refundable : rest
    if (taken <= 0n) continue
    if (rest !== undefined) rest -= taken
    const refund = fulfilment.refunds.length + refunds.length + 1
    refunds.push({ refund, payment: payment.payment, amountMinor: taken })
  }
  return refunds
}
