// The requests to the payment provider that follow from an event. Pure; store/calls.ts keeps the requests.
import type { ProviderCall } from "../../payments/provider.ts"
import { isPaymentFact, type OrderEvent } from "./events.ts"
import type { Order } from "./order.ts"
import type { Compensation, PaymentFact } from "./payment-events.ts"

/** `order` is as the event leaves it. Example: `OrderCancelled` with a captured payment asks for its refund. */
export function callsOf(order: Order, event: OrderEvent): ProviderCall[] {
  if (event.type === "OrderCancelled") return compensating(order, event.compensation)
  return isPaymentFact(event) ? callsOfPayment(order, event) : []
}

function callsOfPayment(order: Order, fact: PaymentFact): ProviderCall[] {
  switch (fact.type) {
    case "PaymentRequested":
      return [callFor(order, fact.payment, fact.capture ? "charge" : "authorize")]
    case "PaymentCaptureRequested":
      return [callFor(order, fact.payment, "capture")]
    case "RefundRequested":
      return compensating(order, { refunds: fact.refunds, voids: [] })
    case "PaymentAuthorized":
    case "PaymentProcessed":
      return compensating(order, fact.compensation)
    case "PaymentDeclined":
    case "PaymentVoided":
    case "PaymentOutcomeUnknown":
    case "OrderRefunded":
    case "RefundFailed":
    case "RefundOutcomeUnknown":
      return []
    default:
      return fact satisfies never
  }
}

function compensating(order: Order, { refunds, voids }: Compensation): ProviderCall[] {
  return [
    ...voids.map((payment) => callFor(order, payment, "void")),
    ...refunds.map(({ refund, payment, amountMinor }) => ({
      ...callFor(order, payment, "refund"),
      key: `${order.id}/refunds/${refund}`,
      refund,
      amountMinor,
    })),
  ]
}

function callFor(order: Order, payment: number, operation: ProviderCall["operation"]): ProviderCall {
  const found = order.fulfilment.payments.find((one) => one.payment === payment)
  if (!found) throw new Error(`order ${order.id} has no payment ${payment}`)
  const isFirst = operation === "authorize" || operation === "charge"
  return {
    key: isFirst ? `${order.id}/${payment}` : `${order.id}/${payment}/${operation}`,
    operation,
    amountMinor: found.amountMinor,
    currency: order.currency,
    methodToken: null,
    reference: found.reference,
    orderId: order.id,
    payment,
    refund: null,
  }
}
