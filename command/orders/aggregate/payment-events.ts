// The facts about payments and refunds, and the order's payments after each. Part of `evolve`.
import type { Payment, Payments, Refund } from "./payment.ts"

/** A part of a payment that is to be given back. */
export type RequestedRefund = { refund: number; payment: number; amountMinor: bigint }

/** The requests that undo a cancelled order's payments: captured payments are refunded, authorized payments voided. */
export type Compensation = { refunds: readonly RequestedRefund[]; voids: readonly number[] }

export const noCompensation: Compensation = { refunds: [], voids: [] }

export type PaymentFact =
  | { type: "PaymentRequested"; payment: number; amountMinor: bigint; capture: boolean; provider: string }
  | { type: "PaymentCaptureRequested"; payment: number }
  | { type: "PaymentAuthorized"; payment: number; reference: string; compensation: Compensation }
  | {
      type: "PaymentProcessed"
      payment: number
      amountMinor: bigint
      reference: string
      compensation: Compensation
    }
  | { type: "PaymentDeclined"; payment: number; failure: string }
  | { type: "PaymentVoided"; payment: number }
  | { type: "PaymentOutcomeUnknown"; payment: number }
  | { type: "RefundRequested"; refunds: readonly RequestedRefund[]; reason: string | null }
  | { type: "OrderRefunded"; refund: number; payment: number; amountMinor: bigint; reference: string }
  | { type: "RefundFailed"; refund: number; failure: string }
  | { type: "RefundOutcomeUnknown"; refund: number }

/** Payments and refunds that the fact does not concern stay the same objects. */
export function evolvePayments(before: Payments, fact: PaymentFact): Payments {
  switch (fact.type) {
    case "PaymentRequested": {
      const { payment, amountMinor, provider } = fact
      const fresh = { payment, amountMinor, provider, capturedMinor: 0n, refundedMinor: 0n }
      const requested: Payment = { ...fresh, status: "pending", reference: null, failure: null }
      return { ...before, payments: [...before.payments, requested] }
    }
    case "PaymentCaptureRequested":
      return withPayment(before, fact.payment, () => ({ status: "pending" }))
    case "PaymentAuthorized": {
      const { payment, reference, compensation } = fact
      const after = withPayment(before, payment, () => ({ status: "authorized", reference }))
      return compensate(after, compensation)
    }
    case "PaymentProcessed": {
      const { payment, amountMinor, reference, compensation } = fact
      const captured = { status: "captured" as const, capturedMinor: amountMinor, reference }
      return compensate(
        withPayment(before, payment, () => captured),
        compensation,
      )
    }
    case "PaymentDeclined":
      return withPayment(before, fact.payment, () => ({ status: "declined", failure: fact.failure }))
    case "PaymentVoided":
      return withPayment(before, fact.payment, () => ({ status: "voided" }))
    case "PaymentOutcomeUnknown":
      return withPayment(before, fact.payment, () => ({ status: "unknown" }))
    case "RefundRequested":
      return compensate(before, { refunds: fact.refunds, voids: [] })
    case "OrderRefunded": {
      const { refund, payment, amountMinor, reference } = fact
      const after = withPayment(before, payment, (one) => ({
        refundedMinor: one.refundedMinor + amountMinor,
      }))
      return withRefund(after, refund, { status: "succeeded", reference })
    }
    case "RefundFailed":
      return withRefund(before, fact.refund, { status: "failed", failure: fact.failure })
    case "RefundOutcomeUnknown":
      return withRefund(before, fact.refund, { status: "unknown" })
    default:
      return fact satisfies never
  }
}

/** The payments when the compensation has been asked for. */
export function compensate(before: Payments, { refunds, voids }: Compensation): Payments {
  const opened = refunds.map(
    (refund): Refund => ({ ...refund, status: "pending", reference: null, failure: null }),
  )
  const voiding = voids.reduce(
    (after, payment) => withPayment(after, payment, () => ({ status: "pending" })),
    before,
  )
  return { ...voiding, refunds: [...voiding.refunds, ...opened] }
}

function withPayment(
  before: Payments,
  payment: number,
  change: (one: Payment) => Partial<Payment>,
): Payments {
  return {
    ...before,
    payments: before.payments.map((one) => (one.payment === payment ? { ...one, ...change(one) } : one)),
  }
}

function withRefund(before: Payments, refund: number, change: Partial<Refund>): Payments {
  return {
    ...before,
    refunds: before.refunds.map((one) => (one.refund === refund ? { ...one, ...change } : one)),
  }
}
