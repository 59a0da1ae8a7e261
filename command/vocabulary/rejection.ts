// An expected refusal is a value: a stable code, a sentence for people, and the data that a program needs to react.
// Only http-errors.ts decides which HTTP status a code becomes.

export type RejectionCode =
  | "order-not-found"
  | "line-not-found"
  | "customer-not-found"
  | "customer-unknown"
  | "customer-erased"
  | "customer-has-open-orders"
  | "product-not-found"
  | "product-exists"
  | "stock-not-kept"
  | "stock-below-reserved"
  | "product-unknown"
  | "product-inactive"
  | "price-mismatch"
  | "currency-required"
  | "currency-mismatch"
  | "country-fixed"
  | "discount-not-applicable"
  | "discount-not-found"
  | "discount-code-taken"
  | "discount-inconsistent"
  | "shipping-rule-not-found"
  | "tax-rate-not-found"
  | "tax-rate-exists"
  | "shipping-unavailable"
  | "order-not-draft"
  | "order-empty"
  | "order-closed"
  | "order-not-cancellable"
  | "too-many-lines"
  | "insufficient-stock"
  | "order-not-payable"
  | "order-not-refundable"
  | "order-not-shippable"
  | "order-not-deliverable"
  | "order-refunded"
  | "payment-not-found"
  | "payment-not-authorized"
  | "payment-exceeds-total"
  | "refund-exceeds-captured"
  | "shipment-not-found"
  | "shipment-delivered"
  | "quantity-exceeds-left"
  | "amount-invalid"
  | "amount-too-large"
  | "amount-too-fine"
  | "email-taken"
  | "version-mismatch"
  | "version-conflict"
  | "idempotency-key-reused"

export type Rejection = {
  code: RejectionCode
  detail: string
  /** Extra members of the problem document, in JSON form. */
  about: Record<string, unknown>
}

export type Refused = { ok: false; rejection: Rejection }
export type Result<T> = { ok: true; value: T } | Refused

export function accept<T>(value: T): Result<T> {
  return { ok: true, value }
}

/** The value of an accepted result as something else; a refusal stays as it is. */
export function mapAccepted<From, To>(result: Result<From>, to: (value: From) => To): Result<To> {
  return result.ok ? accept(to(result.value)) : result
}

export function refuse(code: RejectionCode, detail: string, about: Record<string, unknown> = {}): Refused {
  return { ok: false, rejection: { code, detail, about } }
}
