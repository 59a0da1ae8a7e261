// The routes of payments and refunds.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import { changeHeaders } from "../../http/command-headers.ts"
import { noBody, optionalJsonBody } from "../../http/json-body.ts"
import { optionalJsonOf } from "../../http/respond.ts"
import { decimalAmount } from "../../vocabulary/money.ts"
import { text } from "../../vocabulary/text.ts"
import { askedUnless, type ChangeDeps, createChange, numberParam, orderParams } from "./change-route.ts"

export type PaymentRouteDeps = ChangeDeps & { providerName: string }

const amount = decimalAmount.optional()

const paymentRequest = z.strictObject({
  amount: amount.openapi({ description: "All that is due, without it.", example: "59.98" }),
  method_token: text(200)
    .optional()
    .openapi({ description: "How the customer pays: a token of the payment provider." }),
  capture: z.boolean().default(true).openapi({ description: "false only authorizes." }),
})

const refundRequest = z.strictObject({
  amount: amount.openapi({ description: "All that is left, without it." }),
  reason: text(500).optional(),
})

const postPayment = createRoute({
  method: "post",
  path: "/orders/{id}/payments",
  summary: "Pay a confirmed order, in full or in part",
  middleware: [optionalJsonBody],
  request: { headers: changeHeaders, params: orderParams, body: optionalJsonOf(paymentRequest) },
  responses: askedUnless("order-not-payable", "payment-exceeds-total", "amount-invalid"),
})

const postCapture = createRoute({
  method: "post",
  path: "/orders/{id}/payments/{payment}/capture",
  summary: "Capture a payment that is authorized",
  middleware: [noBody],
  request: {
    headers: changeHeaders,
    params: orderParams.extend({ payment: numberParam("payment") }),
  },
  responses: askedUnless("order-not-payable", "payment-not-found", "payment-not-authorized"),
})

const postRefund = createRoute({
  method: "post",
  path: "/orders/{id}/refunds",
  summary: "Give back what was paid, in full or in part",
  description:
    "Given back in full, the order is not shipped any more. If a part of it has left, it is `shipped` from then on, or `delivered` if that has arrived.",
  middleware: [optionalJsonBody],
  request: { headers: changeHeaders, params: orderParams, body: optionalJsonOf(refundRequest) },
  responses: askedUnless(
    "customer-erased",
    "order-not-refundable",
    "refund-exceeds-captured",
    "amount-invalid",
  ),
})

export function createPaymentRoutes(deps: PaymentRouteDeps): OpenAPIHono {
  const change = createChange(deps)
  const routes = new OpenAPIHono()

  routes.openapi(postPayment, (c) => {
    const { amount, capture, method_token } = c.req.valid("json")
    const request = { id: c.req.valid("param").id, headers: c.req.valid("header") }
    const command = { type: "PayOrder", amount, capture, provider: deps.providerName } as const
    return change(c, request, command, { methodToken: method_token })
  })

  routes.openapi(postCapture, (c) => {
    const { id, payment } = c.req.valid("param")
    return change(c, { id, headers: c.req.valid("header") }, { type: "CapturePayment", payment })
  })

  routes.openapi(postRefund, (c) => {
    const { amount, reason } = c.req.valid("json")
    const request = { id: c.req.valid("param").id, headers: c.req.valid("header") }
    return change(c, request, { type: "RefundOrder", amount, reason: reason ?? null })
  })

  return routes
}
