// The payments and refunds of an order, and what they come to in minor units of its currency.

export type Payment = {
  /** 1, 2, .. */
  payment: number
  /** `pending`: asked and not answered yet; `unknown`: nobody knows what the provider did. Both are resolved later. */
  status: "pending" | "unknown" | "authorized" | "captured" | "declined" | "voided"
  amountMinor: bigint
  capturedMinor: bigint
  /** The part of the captured amount that refunds have given back. */
  refundedMinor: bigint
  provider: string
  /** The provider's name for it, once it has answered. */
  reference: string | null
  /** Why it was declined: a code of the provider. */
  failure: string | null
}

export type Refund = {
  /** 1, 2, .. */
  refund: number
  /** The money that it gives back is of this payment. */
  payment: number
  status: "pending" | "unknown" | "succeeded" | "failed"
  amountMinor: bigint
  reference: string | null
  failure: string | null
}

export type Payments = { payments: readonly Payment[]; refunds: readonly Refund[] }

/** The provider has taken this much, refunded or not. */
export function capturedMinor({ payments }: Pick<Payments, "payments">): bigint {
  return payments.reduce((sum, { capturedMinor }) => sum + capturedMinor, 0n)
}

/** The provider has given back this much. */
export function refundedMinor({ payments }: Pick<Payments, "payments">): bigint {
  return payments.reduce((sum, { refundedMinor }) => sum + refundedMinor, 0n)
}

/** The amount of all payments that are captured or may still be. */
export function coveredMinor({ payments }: Pick<Payments, "payments">): bigint {
  return payments
    .filter(({ status }) => status !== "declined" && status !== "voided")
    .reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
}

/** The part of a payment that is captured and neither refunded nor about to be. */
export function refundableMinor(
  { refunds }: Pick<Payments, "refunds">,
  { payment, capturedMinor }: Payment,
): bigint {
  return refunds
    .filter((refund) => refund.payment === payment && refund.status !== "failed")
    .reduce((rest, refund) => rest - refund.amountMinor, capturedMinor)
}

/** True if everything that was paid is given back or about to be: the order is not to be shipped. */
export function isRefunded(all: Payments): boolean {
  return capturedMinor(all) > 0n && all.payments.every((payment) => refundableMinor(all, payment) <= 0n)
}

/** True when everything that was paid has been given back: from now on nothing can be paid, shipped or refunded. */
export function isGivenBack(all: Payments): boolean {
  const captured = capturedMinor(all)
  return captured > 0n && refundedMinor(all) === captured
}

/** True while the provider owes an answer. */
export function awaitsProvider({ payments, refunds }: Payments): boolean {
  return [...payments, ...refunds].some(({ status }) => status === "pending" || status === "unknown")
}
