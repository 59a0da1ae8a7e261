// The write side's tables as Kysely sees them. Row types are derived from here, never written twice.
// int8 arrives as bigint, timestamptz as Date, jsonb as parsed JSON (see db/connect.ts).
import type { ColumnType, Generated } from "kysely"

type Timestamp = ColumnType<Date, Date | undefined, Date>
type Json = ColumnType<unknown, string, string>
type NullableJson = ColumnType<unknown, string | null | undefined, string | null>

export type OrderStatus = "draft" | "confirmed" | "paid" | "shipped" | "delivered" | "cancelled"

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
  }
  products: {
    id: string
    name: string
    price_minor: bigint
    currency: string
    weight_grams: Generated<number>
    active: Generated<boolean>
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
    shipping_address: NullableJson
    note: string | null
    cancel_reason: string | null
    /** The highest line number ever given in this order; a removed line's number is not used again. */
    last_line: Generated<number>
    version: number
    created_at: Timestamp
    updated_at: Timestamp
    confirmed_at: Date | null
    cancelled_at: Date | null
  }
  order_items: {
    order_id: string
    line: number
    product_id: string
    quantity: number
    unit_price_minor: bigint
    created_at: Timestamp
    updated_at: Timestamp
  }
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
  idempotency_keys: {
    key: string
    fingerprint: string
    status: number
    headers: Json
    body: string
    xid: Generated<string>
    created_at: Timestamp
  }
}
