// The stored form of what happens to an order after its confirmation; the rest is in event-payload.ts. A tracking number
// and the reason of a refund stand in columns of their own, so that they can be erased.
import { z } from "@hono/zod-openapi"
import type { LineQuantity } from "../aggregate/fulfilment.ts"
import type { Compensation, FulfilmentFact, RequestedRefund } from "../aggregate/fulfilment-events.ts"

const number = z.number().int().positive()
const minor = z.string().regex(/^\d+$/).transform(BigInt)
const lineQuantities = z.array(z.object({ line: number, quantity: number }))
const requestedRefunds = z.array(
  z
    .object({ refund: number, payment: number, amount_minor: minor })
    .transform(({ amount_minor, ...rest }): RequestedRefund => ({ ...rest, amountMinor: amount_minor })),
)

/** Confirmations from before there were reservations hold none. */
export const storedConfirmation = z
  .object({ reserved: lineQuantities.default([]), reserved_until: z.coerce.date().nullable().default(null) })
  .transform(({ reserved, reserved_until }) => ({ reserved, reservedUntil: reserved_until }))

export const storedCompensation = z.object({
  refunds: requestedRefunds.default([]),
  voids: z.array(number).default([]),
})

const answered = z.object({ payment: number, reference: z.string() })

/** One schema per type; what is in the payload by another name than in the event is renamed. */
const facts = z.discriminatedUnion("type", [
  z
    .object({
      type: z.literal("PaymentRequested"),
      payment: number,
      amount_minor: minor,
      capture: z.boolean(),
      provider: z.string(),
    })
    .transform(({ amount_minor, ...rest }) => ({ ...rest, amountMinor: amount_minor })),
  z.object({ type: z.literal("PaymentCaptureRequested"), payment: number }),
  answered
    .extend({ type: z.literal("PaymentAuthorized"), ...storedCompensation.shape })
    .transform(({ refunds, voids, ...rest }) => ({ ...rest, compensation: { refunds, voids } })),
  answered
    .extend({ type: z.literal("PaymentProcessed"), amount_minor: minor, ...storedCompensation.shape })
    .transform(({ amount_minor, refunds, voids, ...rest }) => ({
      ...rest,
      amountMinor: amount_minor,
      compensation: { refunds, voids },
    })),
  z.object({ type: z.literal("PaymentDeclined"), payment: number, failure: z.string() }),
  z.object({ type: z.literal("PaymentVoided"), payment: number }),
  z.object({ type: z.literal("PaymentOutcomeUnknown"), payment: number }),
  z.object({
    type: z.literal("RefundRequested"),
    refunds: requestedRefunds,
    reason: z.string().nullable(),
  }),
  answered
    .extend({ type: z.literal("OrderRefunded"), refund: number, amount_minor: minor })
    .transform(({ amount_minor, ...rest }) => ({ ...rest, amountMinor: amount_minor })),
  z.object({ type: z.literal("RefundFailed"), refund: number, failure: z.string() }),
  z.object({ type: z.literal("RefundOutcomeUnknown"), refund: number }),
  z
    .object({
      type: z.literal("OrderShipped"),
      shipment: number,
      carrier: z.string(),
      items: lineQuantities,
      complete: z.boolean(),
    })
    .transform((rest) => ({ ...rest, tracking: null })),
  z.object({ type: z.literal("OrderDelivered"), shipment: number, complete: z.boolean() }),
])

/** Throws if the payload is none that this version writes. */
export function fromFulfilmentPayload(type: string, payload: unknown, reason: string | null): FulfilmentFact {
  const columns = z.record(z.string(), z.unknown()).parse(payload)
  return facts.parse({ ...columns, type, reason })
}

export function confirmedPayload(event: {
  reserved: readonly LineQuantity[]
  reservedUntil: Date | null
}): Record<string, unknown> {
  return { reserved: event.reserved, reserved_until: event.reservedUntil?.toISOString() ?? null }
}

export function toStoredCompensation({ refunds, voids }: Compensation): Record<string, unknown> {
  return {
    ...(refunds.length > 0 ? { refunds: refunds.map(toStoredRefund) } : {}),
    ...(voids.length > 0 ? { voids } : {}),
  }
}

export function toFulfilmentPayload(fact: FulfilmentFact): Record<string, unknown> {
  switch (fact.type) {
    case "PaymentRequested": {
      const { payment, amountMinor, capture, provider } = fact
      return { payment, amount_minor: amountMinor.toString(), capture, provider }
    }
    case "PaymentAuthorized": {
      const { payment, reference, compensation } = fact
      return { payment, reference, ...toStoredCompensation(compensation) }
    }
    case "PaymentProcessed": {
      const { payment, amountMinor, reference, compensation } = fact
      const amount_minor = amountMinor.toString()
      return { payment, amount_minor, reference, ...toStoredCompensation(compensation) }
    }
    case "PaymentDeclined":
      return { payment: fact.payment, failure: fact.failure }
    case "PaymentCaptureRequested":
    case "PaymentVoided":
    case "PaymentOutcomeUnknown":
      return { payment: fact.payment }
    case "RefundRequested":
      return { refunds: fact.refunds.map(toStoredRefund) }
    case "OrderRefunded": {
      const { refund, payment, amountMinor, reference } = fact
      return { refund, payment, amount_minor: amountMinor.toString(), reference }
    }
    case "RefundFailed":
      return { refund: fact.refund, failure: fact.failure }
    case "RefundOutcomeUnknown":
      return { refund: fact.refund }
    case "OrderShipped": {
      const { shipment, carrier, items, complete } = fact
      return { shipment, carrier, items, complete }
    }
    case "OrderDelivered":
      return { shipment: fact.shipment, complete: fact.complete }
    default:
      return fact satisfies never
  }
}

function toStoredRefund({ refund, payment, amountMinor }: RequestedRefund): Record<string, unknown> {
  return { refund, payment, amount_minor: amountMinor.toString() }
}
