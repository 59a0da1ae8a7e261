// The stored form of every event in `order_events`: one table, by which an event is written and read. No personal data:
// of address and note only the column's name. A reason and a tracking number stand in columns of their own, so that they
// can be erased; the order's id is a column too.
import { z } from "zod"
import { storedPricing } from "../../pricing/stored-pricing.ts"
import { customerId, type OrderId, orderId, productId } from "../../vocabulary/ids.ts"
import {
  moment,
  readAndWrite,
  stored,
  storedAs,
  wholeNumber,
  writerOf,
} from "../../vocabulary/stored-json.ts"
import type { OrderEvent } from "../aggregate/events.ts"

const number = z.number().int().positive()
const int = z.number().int()
const text = z.string()
const list = <Schema extends z.ZodType>(schema: Schema) => z.array(schema).readonly()
/** An empty list is left out. */
function listIfAny<Schema extends z.ZodType>(schema: Schema) {
  const write = writerOf(list(schema))
  return readAndWrite(list(schema).default([]), (all) =>
    Array.isArray(all) && all.length === 0 ? undefined : write(all),
  )
}
/** A member with a column of its own: it is read from there, and the payload has none of it. */
const column = <Schema extends z.ZodType>(schema: Schema) => readAndWrite(schema.clone(), () => undefined)
/** Null in the column of an event whose customer was erased. */
const erasableText = text.nullable().transform((found) => found ?? "")

const lineQuantity = z.object({ line: number, quantity: number })
const item = stored({ line: int, productId, quantity: int, unitPriceMinor: wholeNumber })
const linePrice = stored({ line: int, unitPriceMinor: wholeNumber })
const repriced = stored({ prices: list(linePrice), pricing: storedPricing })
const refund = stored({ refund: number, payment: number, amountMinor: wholeNumber })
const compensation = stored({ refunds: listIfAny(refund), voids: listIfAny(number) })
const country = text.nullable()
const fields = list(z.enum(["shipping_address", "note"]))
const answered = { payment: number, reference: text }

const event = z.discriminatedUnion("type", [
  storedAs("OrderCreated", {
    orderId: column(orderId),
    customerId,
    currency: text,
    country,
    discountCodes: list(text),
    items: list(item),
    fields,
    pricing: storedPricing,
  }),
  storedAs(
    "OrderUpdated",
    {
      fields,
      country: country.exactOptional(),
      discountCodes: list(text).exactOptional(),
      repriced: repriced.exactOptional(),
    },
    { repriced: "pricing" },
  ),
  storedAs("ItemAdded", { item, repriced }, { item: true, repriced: true }),
  storedAs("ItemChanged", { line: int, quantity: int, repriced }, { repriced: true }),
  storedAs("ItemRemoved", { line: int, repriced }, { repriced: true }),
  storedAs(
    "OrderConfirmed",
    // Confirmations from before there were reservations hold none.
    { reserved: list(lineQuantity).default([]), reservedUntil: moment.nullable().default(null), repriced },
    { repriced: true },
  ),
  storedAs("OrderCancelled", { reason: column(erasableText), compensation }, { compensation: true }),
  storedAs("PersonalDataErased", { columns: list(text) }),
  storedAs("PaymentRequested", {
    payment: number,
    amountMinor: wholeNumber,
    capture: z.boolean(),
    provider: text,
  }),
  storedAs("PaymentCaptureRequested", { payment: number }),
  storedAs("PaymentAuthorized", { ...answered, compensation }, { compensation: true }),
  storedAs(
    "PaymentProcessed",
    { payment: number, amountMinor: wholeNumber, reference: text, compensation },
    { compensation: true },
  ),
  storedAs("PaymentDeclined", { payment: number, failure: text }),
  storedAs("PaymentVoided", { payment: number }),
  storedAs("PaymentOutcomeUnknown", { payment: number }),
  storedAs("RefundRequested", { refunds: list(refund), reason: column(text.nullable()) }),
  storedAs("OrderRefunded", { refund: number, payment: number, amountMinor: wholeNumber, reference: text }),
  storedAs("RefundFailed", { refund: number, failure: text }),
  storedAs("RefundOutcomeUnknown", { refund: number }),
  storedAs("OrderShipped", {
    shipment: number,
    carrier: text,
    tracking: column(text.nullable()),
    items: list(lineQuantity),
    complete: z.boolean(),
  }),
  storedAs("OrderDelivered", { shipment: number, complete: z.boolean() }),
])

export type StoredEvent = {
  version: number
  type: string
  payload: unknown
  reason: string | null
  occurred_at: Date
}

/** By type. */
const writers = new Map(event.options.map((option) => [option.in.in.shape.type.value, writerOf(option)]))

/** The columns of an event's row. */
export function toStoredEvent(written: OrderEvent): StoredEvent {
  const reason = "reason" in written ? written.reason : null
  return {
    version: written.version,
    type: written.type,
    payload: payloadOf(written),
    reason,
    occurred_at: written.at,
  }
}

/** An event without an entry in the table does not compile here. */
const payloadOf = (written: z.output<typeof event>): unknown => writers.get(written.type)?.(written)

/** The event that a row of `order_events` holds. Throws if the row is none that this version writes. */
export function fromStoredEvent(
  orderId: OrderId,
  { type, payload, reason, ...row }: StoredEvent,
): OrderEvent {
  const members = z.looseObject({}).parse(payload)
  const read = event.parse({ ...members, type, order_id: orderId, reason, tracking: null })
  return { ...read, version: row.version, at: row.occurred_at }
}
