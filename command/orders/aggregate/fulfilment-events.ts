// Part of `evolve`: the events that commands record after an order is confirmed, and how each event changes the order's
// fulfilment.
import type { Fulfilment, LineQuantity, Payment, Refund } from "./fulfilment.ts"

/** A part of a payment that is to be given back. */
export type RequestedRefund = { refund: number; payment: number; amountMinor: bigint }

/** The requests that undo a cancelled order's payments: captured payments are refunded, authorized payments voided. */
export type Compensation = { refunds: readonly RequestedRefund[]; voids: readonly number[] }

export const noCompensation: Compensation = { refunds: [], voids: [] }

export type FulfilmentFact =
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
  | {
      type: "OrderShipped"
      shipment: number
      carrier: string
      tracking: string | null
      items: readonly LineQuantity[]
      /** No item of the order is left to be shipped. */
      complete: boolean
    }
  | {
      type: "OrderDelivered"
      shipment: number
      /** Every item of the order has arrived. */
      complete: boolean
    }

/** The fulfilment after the fact. Payments, refunds and shipments that the fact leaves alone stay the same objects. */
export function evolveFulfilment(before: Fulfilment, fact: FulfilmentFact, at: Date): Fulfilment {
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
    case "OrderShipped": {
      const { shipment, carrier, tracking, items } = fact
      const sent = { shipment, carrier, tracking, items, shippedAt: at, deliveredAt: null }
      return {
        ...before,
        reserved: without(before.reserved, items),
        shipments: [...before.shipments, sent],
      }
    }
    case "OrderDelivered":
      return {
        ...before,
        shipments: before.shipments.map((one) =>
          one.shipment === fact.shipment ? { ...one, deliveredAt: at } : one,
        ),
      }
    default:
      return fact satisfies never
  }
}

/** The fulfilment after the compensation was requested. */
export function compensate(before: Fulfilment, { refunds, voids }: Compensation): Fulfilment {
  const opened = refunds.map(
    (refund): Refund => ({ ...refund, status: "pending", reference: null, failure: null }),
  )
  const voiding = voids.reduce(
    (after, payment) => withPayment(after, payment, () => ({ status: "pending" })),
    before,
  )
  return { ...voiding, refunds: [...voiding.refunds, ...opened] }
}

function without(reserved: readonly LineQuantity[], sent: readonly LineQuantity[]): LineQuantity[] {
  return reserved
    .map(({ line, quantity }) => ({
      line,
      quantity: quantity - (sent.find((one) => one.line === line)?.quantity ?? 0),
    }))
    .filter(({ quantity }) => quantity > 0)
}

function withPayment(
  before: Fulfilment,
  payment: number,
  change: (one: Payment) => Partial<Payment>,
): Fulfilment {
  return {
    ...before,
    payments: before.payments.map((one) => (one.payment === payment ? { ...one, ...change(one) } : one)),
  }
}

function withRefund(before: Fulfilment, refund: number, change: Partial<Refund>): Fulfilment {
  return {
    ...before,
    refunds: before.refunds.map((one) => (one.refund === refund ? { ...one, ...change } : one)),
  }
}
