// The write side's tables as Kysely sees them. Row types are derived from here, never written twice.
// int8 arrives as bigint, timestamptz as Date, jsonb as parsed JSON (see db/connect.ts).
import type { ColumnType, Generated } from "kysely"

type Timestamp = ColumnType<Date, Date | undefined, Date>
type Json = ColumnType<unknown, string, string>
type NullableJson = ColumnType<unknown, string | null | undefined, string | null>

export type OrderStatus = "draft" | "confirmed" | "paid" | "shipped" | "delivered" | "cancelled"

/** `pending`: the provider has not been asked or has not answered; `unknown`: nobody knows what the provider did. */
export type PaymentStatus = "pending" | "unknown" | "authorized" | "captured" | "declined" | "voided"
export type RefundStatus = "pending" | "unknown" | "succeeded" | "failed"

export type CommandDatabase = {
  customers: {
    id: string
    email: string
    name: string
    phone: string | null
    address: NullableJson
    version: Generated<number>
    created_at: Timestamp
    updated_at: Timestamp
    /** When the personal data was removed; the row stays because orders name the customer. */
    erased_at: Date | null
  }
  products: {
    id: string
    name: string
    price_minor: bigint
    currency: string
    weight_grams: Generated<number>
    active: Generated<boolean>
    version: Generated<number>
    created_at: Timestamp
    updated_at: Timestamp
  }
  /** A product without a row is not kept in stock and is never short. */
  inventory: {
    product_id: string
    on_hand: Generated<bigint>
    /** The part of `on_hand` that confirmed orders wait for. */
    reserved: Generated<bigint>
    version: Generated<number>
    updated_at: Timestamp
  }
  discounts: {
    id: string
    code: string | null
    customer_id: string | null
    product_id: string | null
    kind: "percent" | "fixed"
    percent_basis_points: number | null
    amount_minor: bigint | null
    currency: string | null
    minimum_order_minor: Generated<bigint>
    usage_limit: number | null
    times_used: Generated<number>
    stackable: Generated<boolean>
    active: Generated<boolean>
    valid_from: Timestamp
    valid_until: Date | null
    version: Generated<number>
    created_at: Timestamp
    updated_at: Timestamp
  }
  shipping_rules: {
    id: string
    country: string
    currency: string
    maximum_weight_grams: number | null
    price_minor: bigint
    free_above_minor: bigint | null
    version: Generated<number>
    created_at: Timestamp
    updated_at: Timestamp
  }
  tax_rates: {
    country: string
    basis_points: number
    version: Generated<number>
    created_at: Timestamp
    updated_at: Timestamp
  }
  orders: {
    id: string
    customer_id: string
    status: OrderStatus
    currency: string
    subtotal_minor: bigint
    discount_minor: Generated<bigint>
    shipping_minor: Generated<bigint>
    tax_minor: Generated<bigint>
    total_minor: bigint
    /** Sums of all payments and refunds that the provider has confirmed. */
    captured_minor: Generated<bigint>
    refunded_minor: Generated<bigint>
    shipping_address: NullableJson
    /** The country of the address; it stays when the address is erased. */
    country: string | null
    discount_codes: ColumnType<string[], string[] | undefined, string[]>
    /** How the sums came about: discounts, shipping rule, tax rate. Frozen when the order is confirmed. */
    pricing: NullableJson
    note: string | null
    cancel_reason: string | null
    /** The highest line number ever given in this order; a removed line's number is not used again. */
    last_line: Generated<number>
    version: number
    created_at: Timestamp
    updated_at: Timestamp
    confirmed_at: Date | null
    /** Until this moment the stock of the unpaid order stays reserved. */
    reserved_until: Date | null
    paid_at: Date | null
    shipped_at: Date | null
    delivered_at: Date | null
    cancelled_at: Date | null
  }
  order_items: {
    order_id: string
    line: number
    product_id: string
    quantity: number
    unit_price_minor: bigint
    /** The quantity reserved from stock that is still on hand; 0 for products that are not kept in stock. */
    reserved_quantity: Generated<number>
    shipped_quantity: Generated<number>
    created_at: Timestamp
    updated_at: Timestamp
  }
  payments: {
    order_id: string
    payment: number
    status: PaymentStatus
    amount_minor: bigint
    captured_minor: Generated<bigint>
    refunded_minor: Generated<bigint>
    currency: string
    provider: string
    provider_reference: string | null
    failure: string | null
    created_at: Timestamp
    updated_at: Timestamp
  }
  refunds: {
    order_id: string
    refund: number
    payment: number
    status: RefundStatus
    amount_minor: bigint
    currency: string
    reason: string | null
    provider_reference: string | null
    failure: string | null
    created_at: Timestamp
    updated_at: Timestamp
  }
  shipments: {
    order_id: string
    shipment: number
    carrier: string
    tracking: string | null
    created_at: Timestamp
    updated_at: Timestamp
    delivered_at: Date | null
  }
  shipment_items: { order_id: string; shipment: number; line: number; quantity: number }
  order_events: {
    order_id: string
    version: number
    type: string
    payload: Json
    actor: string | null
    reason: string | null
    request_id: string | null
    traceparent: string | null
    occurred_at: Timestamp
  }
  /** The requests that the payment provider has not answered yet; a row leaves when the answer is recorded. */
  provider_calls: {
    key: string
    order_id: string
    operation: "authorize" | "charge" | "capture" | "void" | "refund"
    payment: number
    refund: number | null
    amount_minor: bigint
    currency: string
    /** How the customer pays. */
    method_token: string | null
    /** The provider's name for the payment. */
    reference: string | null
    /** The key whose stored answer the provider's answer is to replace. */
    idempotency_key: string | null
    attempts: Generated<number>
    /** From this moment on the schedule asks the provider. */
    ask_at: Date
    created_at: Timestamp
  }
  /** The operations of the sandbox provider and its answers; no real provider uses this table. */
  sandbox_operations: {
    key: string
    operation: string
    amount_minor: bigint
    currency: string
    method_token: string
    asked: Generated<number>
    answer: NullableJson
    created_at: Timestamp
  }
  idempotency_keys: {
    key: string
    fingerprint: string
    status: number
    headers: Json
    body: string
    xid: Generated<string>
    /** The customer whom the answer is about. */
    customer_id: string | null
    created_at: Timestamp
  }
}
