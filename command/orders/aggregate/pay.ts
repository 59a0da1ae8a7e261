// The rules of payments and refunds, pure. Open and captured payments never exceed the total, refunds never the
// captured amount. An answer that arrives when the order has been cancelled is undone at once.

import type { Outcome } from "../../payments/provider.ts"
import { formatAmount, parseAmount, toMoneyBody } from "../../vocabulary/money.ts"
import { accept, type Refused, type Result, refuse } from "../../vocabulary/rejection.ts"
import { refundsOf } from "./compensation.ts"
import { type Order, orderSums } from "./order.ts"
import { coveredMinor, type Payment, type Refund } from "./payment.ts"
import { noCompensation, type PaymentFact } from "./payment-events.ts"

export type PaymentCommand =
  /** `amount`: a plain decimal text; all that is due without it. */
  | { type: "PayOrder"; amount: string | undefined; capture: boolean; provider: string }
  | { type: "CapturePayment"; payment: number }
  | { type: "RecordPayment"; payment: number; outcome: Outcome }
  | { type: "RefundOrder"; amount: string | undefined; reason: string | null }
  | { type: "RecordRefund"; refund: number; outcome: Outcome }

/** The fact that follows for an order whose status takes the command. */
export function decidePayment(order: Order, command: PaymentCommand): Result<PaymentFact> {
  switch (command.type) {
    case "PayOrder": {
      const due = orderSums(order).totalMinor - coveredMinor(order.fulfilment)
      const amountMinor = command.amount === undefined ? due : parseAmount(command.amount, order.currency)
      if (amountMinor === undefined || (command.amount !== undefined && amountMinor === 0n)) {
        return badAmount(order)
      }
      if (amountMinor > due || amountMinor === 0n)
        return exceeds("payment-exceeds-total", "is due", due, order)
      const { capture, provider } = command
      const payment = order.fulfilment.payments.length + 1
      return accept({ type: "PaymentRequested", payment, amountMinor, capture, provider })
    }
    case "CapturePayment": {
      const { payment } = command
      const found = order.fulfilment.payments.find((one) => one.payment === payment)
      if (!found) return refuse("payment-not-found", `The order has no payment ${payment}.`)
      if (found.status !== "authorized") {
        return refuse("payment-not-authorized", `Payment ${payment} is ${found.status}.`, {
          payment_status: found.status,
        })
      }
      return accept({ type: "PaymentCaptureRequested", payment })
    }
    case "RecordPayment":
      return accept(recordPayment(order, command.payment, command.outcome))
    case "RefundOrder": {
      const refundable = refundsOf(order.fulfilment).reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
      const amountMinor =
        command.amount === undefined ? refundable : parseAmount(command.amount, order.currency)
      if (amountMinor === undefined || (command.amount !== undefined && amountMinor === 0n)) {
        return badAmount(order)
      }
      if (amountMinor > refundable || amountMinor === 0n) {
        return exceeds("refund-exceeds-captured", "can be refunded", refundable, order)
      }
      const refunds = refundsOf(order.fulfilment, amountMinor)
      return accept({ type: "RefundRequested", refunds, reason: command.reason })
    }
    case "RecordRefund":
      return accept(recordRefund(order, command.refund, command.outcome))
    default:
      return command satisfies never
  }
}

function recordPayment(order: Order, number: number, outcome: Outcome): PaymentFact {
  const found = order.fulfilment.payments.find(({ payment }) => payment === number)
  const { payment, amountMinor } = requireOpen(order, "payment", number, found)
  const cancelled = order.status === "cancelled"
  switch (outcome.state) {
    case "authorized": {
      const compensation = cancelled ? { refunds: [], voids: [payment] } : noCompensation
      return { type: "PaymentAuthorized", payment, reference: outcome.reference, compensation }
    }
    case "captured": {
      const refund = order.fulfilment.refunds.length + 1
      const compensation = cancelled
        ? { refunds: [{ refund, payment, amountMinor }], voids: [] }
        : noCompensation
      return { type: "PaymentProcessed", payment, amountMinor, reference: outcome.reference, compensation }
    }
    case "voided":
      return { type: "PaymentVoided", payment }
    case "declined":
      return { type: "PaymentDeclined", payment, failure: outcome.failure }
    case "unknown":
      return { type: "PaymentOutcomeUnknown", payment }
    case "refunded":
      throw new Error(`payment ${payment} of order ${order.id} was answered as if it were a refund`)
    default:
      return outcome satisfies never
  }
}

function recordRefund(order: Order, number: number, outcome: Outcome): PaymentFact {
  const found = order.fulfilment.refunds.find(({ refund }) => refund === number)
  const { refund, payment, amountMinor } = requireOpen(order, "refund", number, found)
  switch (outcome.state) {
    case "refunded":
      return { type: "OrderRefunded", refund, payment, amountMinor, reference: outcome.reference }
    case "declined":
      return { type: "RefundFailed", refund, failure: outcome.failure }
    case "unknown":
      return { type: "RefundOutcomeUnknown", refund }
    case "authorized":
    case "captured":
    case "voided":
      throw new Error(`refund ${refund} of order ${order.id} was answered as ${outcome.state}`)
    default:
      return outcome satisfies never
  }
}

function requireOpen<One extends Payment | Refund>(
  order: Order,
  what: string,
  number: number,
  found: One | undefined,
): One {
  if (found && (found.status === "pending" || found.status === "unknown")) return found
  throw new Error(`order ${order.id} awaits no answer for ${what} ${number}`)
}

function badAmount({ currency }: Order): Refused {
  return refuse("amount-invalid", `The amount must be more than zero and no finer than ${currency} is.`)
}

function exceeds(
  code: "payment-exceeds-total" | "refund-exceeds-captured",
  is: string,
  atMostMinor: bigint,
  { currency }: Order,
): Refused {
  const atMost = { amountMinor: atMostMinor, currency }
  return refuse(code, `${formatAmount(atMost)} ${currency} ${is}.`, { at_most: toMoneyBody(atMost) })
}
