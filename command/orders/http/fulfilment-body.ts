// The JSON of what an order keeps from its confirmation on, as a part of the order's.
import { z } from "@hono/zod-openapi"
import { moneyBody, toMoneyBody } from "../../vocabulary/money.ts"
import type { Order } from "../aggregate/order.ts"
import { capturedMinor, refundedMinor } from "../aggregate/sums.ts"

const number = z.number().int()
const time = z.iso.datetime()

export const fulfilmentShape = {
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
  shipments: z.array(
    z.object({
      shipment: number,
      carrier: z.string(),
      tracking: z.string().nullable(),
      items: z.array(z.object({ line: number, quantity: number })),
      shipped_at: time,
      delivered_at: time.nullable(),
    }),
  ),
  reserved_until: time.nullable(),
  paid_at: time.nullable(),
  shipped_at: time.nullable(),
  delivered_at: time.nullable(),
}

const fulfilmentBody = z.object(fulfilmentShape)

export function toFulfilmentBody(order: Order): z.infer<typeof fulfilmentBody> {
  const { fulfilment, currency, status } = order
  const money = (amountMinor: bigint) => toMoneyBody({ amountMinor, currency })
  const iso = (moment: Date | null | undefined) => moment?.toISOString() ?? null
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
    shipments: fulfilment.shipments.map(({ shipment, carrier, tracking, items, shippedAt, deliveredAt }) => ({
      shipment,
      carrier,
      tracking,
      items: items.map(({ line, quantity }) => ({ line, quantity })),
      shipped_at: shippedAt.toISOString(),
      delivered_at: iso(deliveredAt),
    })),
    reserved_until: status === "confirmed" ? iso(order.reservedUntil) : null,
    paid_at: status === "draft" || status === "confirmed" ? null : iso(order.paidAt),
    shipped_at: status === "shipped" || status === "delivered" ? iso(order.shippedAt) : null,
    delivered_at: status === "delivered" ? iso(order.deliveredAt) : null,
  }
}
