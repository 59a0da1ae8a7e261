// The one table from codes to HTTP: every rejection and every fault of a request has its status and title here,
// and a code without an entry does not compile. Problems are RFC 9457 documents; `type` is stable.
import { z } from "@hono/zod-openapi"
import type { Rejection, RejectionCode } from "../vocabulary/rejection.ts"

type RequestFault =
  | "malformed-json"
  | "invalid-request"
  | "unsupported-media-type"
  | "body-too-large"
  | "request-aborted"
  | "route-not-found"
  | "method-not-allowed"
  | "database-unavailable"
  | "outcome-unknown"
  | "internal-error"

export type ProblemCode = RejectionCode | RequestFault

const problems = {
  "order-not-found": [404, "Order not found"],
  "line-not-found": [404, "Order line not found"],
  "customer-not-found": [404, "Customer not found"],
  "customer-unknown": [422, "Unknown customer"],
  "customer-erased": [409, "Customer erased"],
  "customer-has-open-orders": [409, "Customer has open orders"],
  "product-not-found": [404, "Product not found"],
  "product-exists": [409, "Product exists"],
  "stock-not-kept": [409, "Product not kept in stock"],
  "stock-below-reserved": [409, "Stock below the reserved quantity"],
  "product-unknown": [422, "Unknown product"],
  "product-inactive": [422, "Product not for sale"],
  "price-mismatch": [409, "Price differs"],
  "currency-required": [422, "Currency required"],
  "currency-mismatch": [422, "More than one currency"],
  "country-fixed": [409, "Priced for another country"],
  "discount-not-applicable": [422, "Discount does not apply"],
  "discount-not-found": [404, "Discount not found"],
  "discount-code-taken": [409, "Discount code taken"],
  "discount-inconsistent": [422, "Discount contradicts itself"],
  "shipping-rule-not-found": [404, "Shipping rule not found"],
  "tax-rate-not-found": [404, "Tax rate not found"],
  "tax-rate-exists": [409, "Tax rate exists"],
  "shipping-unavailable": [422, "No shipping rule fits"],
  "order-not-draft": [409, "Order is not a draft"],
  "order-empty": [409, "Order has no items"],
  "order-closed": [409, "Order is closed"],
  "order-not-cancellable": [409, "Order cannot be cancelled"],
  "too-many-lines": [422, "Too many lines"],
  "insufficient-stock": [409, "Not enough in stock"],
  "order-not-payable": [409, "Order takes no payment"],
  "order-not-refundable": [409, "Order cannot be refunded"],
  "order-not-shippable": [409, "Order cannot be shipped"],
  "order-not-deliverable": [409, "Order is not under way"],
  "order-refunded": [409, "Order was refunded"],
  "payment-not-found": [404, "Payment not found"],
  "payment-not-authorized": [409, "Payment is not authorized"],
  "payment-exceeds-total": [409, "Payments would exceed the total"],
  "refund-exceeds-captured": [409, "Refunds would exceed the captured amount"],
  "shipment-not-found": [404, "Shipment not found"],
  "shipment-delivered": [409, "Shipment has arrived already"],
  "quantity-exceeds-left": [409, "More than is left to be shipped"],
  "amount-invalid": [422, "Not an amount of the order's currency"],
  "amount-too-large": [422, "Amount too large"],
  "amount-too-fine": [422, "Amount finer than its currency"],
  "email-taken": [409, "E-mail address taken"],
  "version-mismatch": [412, "Version differs from If-Match"],
  "version-conflict": [409, "Changed by another command"],
  "idempotency-key-reused": [422, "Idempotency key reused"],
  "malformed-json": [400, "Malformed JSON"],
  "invalid-request": [422, "Invalid request"],
  "unsupported-media-type": [415, "Unsupported media type"],
  "body-too-large": [413, "Body too large"],
  "request-aborted": [400, "Request aborted"],
  "route-not-found": [404, "No such resource"],
  "method-not-allowed": [405, "Method not allowed"],
  "database-unavailable": [503, "Database unavailable"],
  "outcome-unknown": [503, "Outcome unknown"],
  "internal-error": [500, "Internal error"],
} as const satisfies Record<ProblemCode, readonly [status: number, title: string]>

/** The stable name of a problem, as `type` shows it. */
export const problemType = (code: ProblemCode): string => `urn:lockstep:problem:${code}`

export const statusOf = (code: ProblemCode): number => problems[code][0]

/** One fault of a request, found by a JSON pointer into the body or by the name of a header or parameter. */
export type RequestError = { pointer?: string; header?: string; parameter?: string; detail: string }

export const problemBody = z
  .object({
    type: z.string().openapi({ example: "urn:lockstep:problem:price-mismatch" }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    errors: z
      .array(
        z.object({
          pointer: z.string().optional(),
          header: z.string().optional(),
          parameter: z.string().optional(),
          detail: z.string(),
        }),
      )
      .optional(),
  })
  .loose()
  .openapi("Problem")

/** A request that the service cannot take; thrown anywhere below a route, answered by the app. */
export class HttpFault extends Error {
  readonly code: RequestFault
  readonly errors: readonly RequestError[]
  readonly headers: Record<string, string>
  constructor(
    code: RequestFault,
    detail: string,
    more: { errors?: readonly RequestError[]; headers?: Record<string, string> } = {},
  ) {
    super(detail)
    this.code = code
    this.errors = more.errors ?? []
    this.headers = more.headers ?? {}
  }
}

/** The answer to a refused command. `instance` is the path of the request. */
export function rejectionResponse({ code, detail, about }: Rejection, instance: string): Response {
  return problemResponse(code, detail, instance, about)
}

export function faultResponse({ code, message, errors, headers }: HttpFault, instance: string): Response {
  return problemResponse(code, message, instance, errors.length > 0 ? { errors } : {}, headers)
}

function problemResponse(
  code: ProblemCode,
  detail: string,
  instance: string,
  members: Record<string, unknown>,
  headers: Record<string, string> = {},
): Response {
  const [status, title] = problems[code]
  const body = { type: problemType(code), title, status, detail, instance, ...members }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      ...headers,
      "Content-Type": "application/problem+json",
      ...(status === 503 ? { "Retry-After": "1" } : {}),
    },
  })
}
