// The stored form of an event in `order_events`: snake_case JSON, amounts as decimal texts of minor units, so
// that no reader's JSON parser can round them. No personal data: of address and note only the column's name.
import { z } from "@hono/zod-openapi"
import { storedPricing, toStoredPricing } from "../../pricing/stored-pricing.ts"
import { customerId, type OrderId, productId } from "../../vocabulary/ids.ts"
import type { OrderEvent } from "../aggregate/events.ts"
import type { Item } from "../aggregate/order.ts"
import type { Repriced } from "../aggregate/repricing.ts"
import {
  confirmedPayload,
  fromFulfilmentPayload,
  storedCompensation,
  storedConfirmation,
  toFulfilmentPayload,
  toStoredCompensation,
} from "./fulfilment-payload.ts"

const fields = z.array(z.enum(["shipping_address", "note"])).readonly()
const line = z.number().int()
const country = z.string().nullable()
const discountCodes = z.array(z.string()).readonly()
const minor = z.string().regex(/^\d+$/)
const storedItem = z
  .object({
    line,
    product_id: productId,
    quantity: z.number().int(),
    unit_price_minor: minor,
  })
  .transform(
    (item): Item => ({
      line: item.line,
      productId: item.product_id,
      quantity: item.quantity,
      unitPriceMinor: BigInt(item.unit_price_minor),
    }),
  )
const created = z.object({
  customer_id: customerId,
  currency: z.string(),
  country,
  discount_codes: discountCodes,
  items: z.array(storedItem),
  fields,
  pricing: storedPricing,
})
const storedPrice = z
  .object({ line, unit_price_minor: minor })
  .transform((price) => ({ line: price.line, unitPriceMinor: BigInt(price.unit_price_minor) }))
const repriced = z
  .object({ prices: z.array(storedPrice), pricing: storedPricing })
  .transform((stored): Repriced => stored)
const updated = z.object({ fields, country: country.optional(), discount_codes: discountCodes.optional() })
const changed = z.object({ line, quantity: z.number().int() })
const removed = z.object({ line })
const erased = z.object({ columns: z.array(z.string()) })

export type StoredEvent = {
  version: number
  type: string
  payload: unknown
  reason: string | null
  occurred_at: Date
}

/** The columns of an event's row. */
export function toStoredEvent(event: OrderEvent): StoredEvent {
  return {
    version: event.version,
    type: event.type,
    payload: payloadOf(event),
    reason: event.type === "OrderCancelled" || event.type === "RefundRequested" ? event.reason : null,
    occurred_at: event.at,
  }
}

function payloadOf(event: OrderEvent): Record<string, unknown> {
  switch (event.type) {
    case "OrderCreated": {
      const { customerId, currency, country, discountCodes, items, fields, pricing } = event
      return {
        customer_id: customerId,
        currency,
        country,
        discount_codes: discountCodes,
        items: items.map(toStoredItem),
        fields,
        pricing: toStoredPricing(pricing),
      }
    }
    case "OrderUpdated": {
      const { fields, country, discountCodes, repriced } = event
      // JSON leaves out what is undefined.
      return { fields, country, discount_codes: discountCodes, ...(repriced && toStoredRepriced(repriced)) }
    }
    case "ItemAdded":
      return { ...toStoredItem(event.item), ...toStoredRepriced(event.repriced) }
    case "ItemChanged":
      return { line: event.line, quantity: event.quantity, ...toStoredRepriced(event.repriced) }
    case "ItemRemoved":
      return { line: event.line, ...toStoredRepriced(event.repriced) }
    case "OrderConfirmed":
      return { ...confirmedPayload(event), ...toStoredRepriced(event.repriced) }
    case "OrderCancelled":
      return toStoredCompensation(event.compensation)
    case "PersonalDataErased":
      return { columns: event.columns }
    case "PaymentRequested":
    case "PaymentCaptureRequested":
    case "PaymentAuthorized":
    case "PaymentProcessed":
    case "PaymentDeclined":
    case "PaymentVoided":
    case "PaymentOutcomeUnknown":
    case "RefundRequested":
    case "OrderRefunded":
    case "RefundFailed":
    case "RefundOutcomeUnknown":
    case "OrderShipped":
    case "OrderDelivered":
      return toFulfilmentPayload(event)
    default:
      return event satisfies never
  }
}

function toStoredItem({ line, productId, quantity, unitPriceMinor }: Item): Record<string, unknown> {
  return { line, product_id: productId, quantity, unit_price_minor: unitPriceMinor.toString() }
}

function toStoredRepriced({ prices, pricing }: Repriced): Record<string, unknown> {
  return {
    prices: prices.map(({ line, unitPriceMinor }) => ({ line, unit_price_minor: unitPriceMinor.toString() })),
    pricing: toStoredPricing(pricing),
  }
}

/** The event that a row of `order_events` holds. Throws if the row is none that this version writes. */
export function fromStoredEvent(orderId: OrderId, stored: StoredEvent): OrderEvent {
  const { type, payload } = stored
  const recorded = { version: stored.version, at: stored.occurred_at }
  switch (type) {
    case "OrderCreated": {
      const { customer_id, discount_codes, ...facts } = created.parse(payload)
      return { type, orderId, customerId: customer_id, discountCodes: discount_codes, ...facts, ...recorded }
    }
    case "OrderUpdated": {
      const { fields, country, discount_codes } = updated.parse(payload)
      return {
        type,
        fields,
        ...(country !== undefined ? { country } : {}),
        ...(discount_codes ? { discountCodes: discount_codes } : {}),
        ...(isRepriced(payload) ? { repriced: repriced.parse(payload) } : {}),
        ...recorded,
      }
    }
    case "ItemAdded":
      return { type, item: storedItem.parse(payload), repriced: repriced.parse(payload), ...recorded }
    case "ItemChanged":
      return { type, ...changed.parse(payload), repriced: repriced.parse(payload), ...recorded }
    case "ItemRemoved":
      return { type, ...removed.parse(payload), repriced: repriced.parse(payload), ...recorded }
    case "OrderConfirmed":
      return { type, ...storedConfirmation.parse(payload), repriced: repriced.parse(payload), ...recorded }
    case "OrderCancelled": {
      const compensation = storedCompensation.parse(payload)
      return { type, reason: stored.reason ?? "", compensation, ...recorded }
    }
    case "PersonalDataErased":
      return { type, ...erased.parse(payload), ...recorded }
    default:
      return { ...fromFulfilmentPayload(type, payload, stored.reason), ...recorded }
  }
}

function isRepriced(payload: unknown): boolean {
  return typeof payload === "object" && payload !== null && "pricing" in payload
}
