// The JSON of an order's payments and refunds, as a part of the order's.
import { z } from "@hono/zod-openapi"
import { moneyBody, toMoneyBody } from "../../vocabulary/money.ts"
import type { Order } from "../aggregate/order.ts"
import { capturedMinor, refundedMinor } from "../aggregate/payment.ts"

const number = z.number().int()

export const paymentShape = {
  captured: moneyBody,
  refunded: moneyBody,
  payments: z.array(
    z.object({
      payment: number,
      status: z.enum(["pending", "unknown", "authorized", "captured", "declined", "voided"]),
      amount: moneyBody,
      captured: moneyBody,
      refunded: moneyBody,
      provider: z.string(),
      provider_reference: z.string().nullable(),
      failure: z.string().nullable(),
    }),
  ),
  refunds: z.array(
    z.object({
      refund: number,
      payment: number,
      status: z.enum(["pending", "unknown", "succeeded", "failed"]),
      amount: moneyBody,
      failure: z.string().nullable(),
    }),
  ),
}

const paymentBody = z.object(paymentShape)

export function toPaymentBody({ fulfilment, currency }: Order): z.infer<typeof paymentBody> {
  const money = (amountMinor: bigint) => toMoneyBody({ amountMinor, currency })
  return {
    captured: money(capturedMinor(fulfilment)),
    refunded: money(refundedMinor(fulfilment)),
    payments: fulfilment.payments.map((one) => ({
      payment: one.payment,
      status: one.status,
      amount: money(one.amountMinor),
      captured: money(one.capturedMinor),
      refunded: money(one.refundedMinor),
      provider: one.provider,
      provider_reference: one.reference,
      failure: one.failure,
    })),
    refunds: fulfilment.refunds.map(({ refund, payment, status, amountMinor, failure }) => ({
      refund,
      payment,
      status,
      amount: money(amountMinor),
      failure,
    })),
  }
}
