// What an order's payments and refunds come to, in minor units of its currency. Pure.
import type { Fulfilment, Payment } from "./fulfilment.ts"

/** What the provider has taken, refunded or not. */
export function capturedMinor({ payments }: Fulfilment): bigint {
  return payments.reduce((sum, { capturedMinor }) => sum + capturedMinor, 0n)
}

/** What the provider has given back. */
export function refundedMinor({ payments }: Fulfilment): bigint {
  return payments.reduce((sum, { refundedMinor }) => sum + refundedMinor, 0n)
}

/** What payments cover that are captured or may still be. */
export function coveredMinor({ payments }: Fulfilment): bigint {
  return payments
    .filter(({ status }) => status !== "declined" && status !== "voided")
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
}

/** What of a payment is captured and neither refunded nor about to be. */
export function refundableMinor({ refunds }: Fulfilment, { payment, capturedMinor }: Payment): bigint {
  return refunds
    .filter((refund) => refund.payment === payment && refund.status !== "failed")
    .reduce((rest, refund) => rest - refund.amountMinor, capturedMinor)
}

/** True if everything that was paid is given back or about to be: the order is not to be shipped. */
export function isRefunded(fulfilment: Fulfilment): boolean {
  return (
    capturedMinor(fulfilment) > 0n &&
    fulfilment.payments.every((payment) => refundableMinor(fulfilment, payment) <= 0n)
  )
}

/** True when everything that was paid has been given back: from now on nothing can be paid, shipped or refunded. */
export function isGivenBack(fulfilment: Fulfilment): boolean {
  const captured = capturedMinor(fulfilment)
  return captured > 0n && refundedMinor(fulfilment) === captured
}

/** True while the provider owes an answer. */
export function awaitsProvider({ payments, refunds }: Fulfilment): boolean {
  return [...payments, ...refunds].some(({ status }) => status === "pending" || status === "unknown")
}
