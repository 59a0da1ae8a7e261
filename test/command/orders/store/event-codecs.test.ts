// The stored form of every event, to the byte: readers of `order_events` and of its topic have no other. Each row is an
// event and the text of its payload; the text is what Postgres was given before, and reading it gives the event again.
import { expect, test } from "vitest"
import type { OrderEvent } from "../../../../command/orders/aggregate/events.ts"
import { fromStoredEvent, toStoredEvent } from "../../../../command/orders/store/event-codecs.ts"
import { aCustomerId, anOrderId, at, keyboard } from "../given/examples.ts"

const stamp = { version: 7, at }
const pricing = {
  subtotalMinor: 5998n,
  discountMinor: 600n,
  shippingMinor: 490n,
  taxMinor: 1119n,
  totalMinor: 7007n,
  breakdown: {
    discounts: [{ id: "discount-1", code: null, amountMinor: 600n }],
    shipping: { rule: "parcel", weightGrams: 1800n },
    tax: { country: "DE", basisPoints: 1900 },
  },
}
const pricingText =
  '{"subtotal_minor":"5998","discount_minor":"600","shipping_minor":"490","tax_minor":"1119","total_minor":"7007",' +
  '"discounts":[{"id":"discount-1","code":null,"amount_minor":"600"}],' +
  '"shipping":{"rule":"parcel","weight_grams":"1800"},"tax":{"country":"DE","basis_points":1900}}'
const collected = {
  ...pricing,
  subtotalMinor: 9_223_372_036_854_775_807n,
  breakdown: { discounts: [], shipping: null, tax: null },
}
const collectedText =
  '{"subtotal_minor":"9223372036854775807","discount_minor":"600","shipping_minor":"490","tax_minor":"1119",' +
  '"total_minor":"7007","discounts":[],"shipping":null,"tax":null}'
const repriced = { prices: [{ line: 2, unitPriceMinor: 4950n }], pricing }
const repricedText = `"prices":[{"line":2,"unit_price_minor":"4950"}],"pricing":${pricingText}`
const item = { line: 1, productId: keyboard, quantity: 2, unitPriceMinor: 2999n }
const itemText = '"line":1,"product_id":"keyboard","quantity":2,"unit_price_minor":"2999"'
const refunds = [
  { refund: 1, payment: 1, amountMinor: 5000n },
  { refund: 2, payment: 2, amountMinor: 2007n },
]
const refundsText =
  '[{"refund":1,"payment":1,"amount_minor":"5000"},{"refund":2,"payment":2,"amount_minor":"2007"}]'
const nothing = { refunds: [], voids: [] }

/** By the name of the event and what is special about it. */
const stored: Record<string, [event: OrderEvent, payload: string, reason?: string]> = {
  OrderCreated: [
    {
      type: "OrderCreated",
      orderId: anOrderId,
      customerId: aCustomerId,
      currency: "USD",
      country: null,
      discountCodes: ["TEN"],
      items: [item],
      fields: ["note"],
      pricing: collected,
      ...stamp,
    },
    '{"customer_id":"customer-1","currency":"USD","country":null,"discount_codes":["TEN"],' +
      `"items":[{${itemText}}],"fields":["note"],"pricing":${collectedText}}`,
  ],
  "OrderUpdated, of a draft": [
    {
      type: "OrderUpdated",
      fields: ["shipping_address"],
      country: "DE",
      discountCodes: [],
      repriced,
      ...stamp,
    },
    `{"fields":["shipping_address"],"country":"DE","discount_codes":[],${repricedText}}`,
  ],
  "OrderUpdated, clearing the country": [
    {
      type: "OrderUpdated",
      fields: [],
      country: null,
      repriced: { prices: [], pricing: collected },
      ...stamp,
    },
    `{"fields":[],"country":null,"prices":[],"pricing":${collectedText}}`,
  ],
  "OrderUpdated, later": [{ type: "OrderUpdated", fields: ["note"], ...stamp }, '{"fields":["note"]}'],
  ItemAdded: [{ type: "ItemAdded", item, repriced, ...stamp }, `{${itemText},${repricedText}}`],
  ItemChanged: [
    { type: "ItemChanged", line: 3, quantity: 4, repriced, ...stamp },
    `{"line":3,"quantity":4,${repricedText}}`,
  ],
  ItemRemoved: [{ type: "ItemRemoved", line: 3, repriced, ...stamp }, `{"line":3,${repricedText}}`],
  OrderConfirmed: [
    {
      type: "OrderConfirmed",
      repriced,
      reserved: [{ line: 1, quantity: 2 }],
      reservedUntil: new Date("2026-01-02T04:04:05.678Z"),
      ...stamp,
    },
    `{"reserved":[{"line":1,"quantity":2}],"reserved_until":"2026-01-02T04:04:05.678Z",${repricedText}}`,
  ],
  "OrderConfirmed, with stock kept for ever": [
    { type: "OrderConfirmed", repriced, reserved: [], reservedUntil: null, ...stamp },
    `{"reserved":[],"reserved_until":null,${repricedText}}`,
  ],
  OrderCancelled: [
    { type: "OrderCancelled", reason: "no longer wanted", compensation: nothing, ...stamp },
    "{}",
    "no longer wanted",
  ],
  "OrderCancelled, with payments": [
    { type: "OrderCancelled", reason: "r", compensation: { refunds, voids: [3] }, ...stamp },
    `{"refunds":${refundsText},"voids":[3]}`,
    "r",
  ],
  PersonalDataErased: [
    { type: "PersonalDataErased", columns: ["orders.note", "refunds.reason"], ...stamp },
    '{"columns":["orders.note","refunds.reason"]}',
  ],
  PaymentRequested: [
    {
      type: "PaymentRequested",
      payment: 1,
      amountMinor: 7007n,
      capture: false,
      provider: "sandbox",
      ...stamp,
    },
    '{"payment":1,"amount_minor":"7007","capture":false,"provider":"sandbox"}',
  ],
  PaymentCaptureRequested: [{ type: "PaymentCaptureRequested", payment: 1, ...stamp }, '{"payment":1}'],
  PaymentAuthorized: [
    { type: "PaymentAuthorized", payment: 1, reference: "ref", compensation: nothing, ...stamp },
    '{"payment":1,"reference":"ref"}',
  ],
  "PaymentAuthorized, too late": [
    {
      type: "PaymentAuthorized",
      payment: 1,
      reference: "ref",
      compensation: { refunds: [], voids: [1] },
      ...stamp,
    },
    '{"payment":1,"reference":"ref","voids":[1]}',
  ],
  PaymentProcessed: [
    {
      type: "PaymentProcessed",
      payment: 1,
      amountMinor: 7007n,
      reference: "ref",
      compensation: { refunds, voids: [] },
      ...stamp,
    },
    `{"payment":1,"amount_minor":"7007","reference":"ref","refunds":${refundsText}}`,
  ],
  PaymentDeclined: [
    { type: "PaymentDeclined", payment: 1, failure: "card-declined", ...stamp },
    '{"payment":1,"failure":"card-declined"}',
  ],
  PaymentVoided: [{ type: "PaymentVoided", payment: 1, ...stamp }, '{"payment":1}'],
  PaymentOutcomeUnknown: [{ type: "PaymentOutcomeUnknown", payment: 1, ...stamp }, '{"payment":1}'],
  RefundRequested: [
    { type: "RefundRequested", refunds, reason: "broken", ...stamp },
    `{"refunds":${refundsText}}`,
    "broken",
  ],
  "RefundRequested, without a reason": [
    { type: "RefundRequested", refunds: [], reason: null, ...stamp },
    '{"refunds":[]}',
  ],
  OrderRefunded: [
    { type: "OrderRefunded", refund: 1, payment: 2, amountMinor: 5000n, reference: "ref", ...stamp },
    '{"refund":1,"payment":2,"amount_minor":"5000","reference":"ref"}',
  ],
  RefundFailed: [
    { type: "RefundFailed", refund: 1, failure: "account-closed", ...stamp },
    '{"refund":1,"failure":"account-closed"}',
  ],
  RefundOutcomeUnknown: [{ type: "RefundOutcomeUnknown", refund: 1, ...stamp }, '{"refund":1}'],
  OrderShipped: [
    {
      type: "OrderShipped",
      shipment: 1,
      carrier: "Post",
      tracking: null,
      items: [{ line: 1, quantity: 2 }],
      complete: true,
      ...stamp,
    },
    '{"shipment":1,"carrier":"Post","items":[{"line":1,"quantity":2}],"complete":true}',
  ],
  OrderDelivered: [
    { type: "OrderDelivered", shipment: 1, complete: false, ...stamp },
    '{"shipment":1,"complete":false}',
  ],
}

test.each(Object.entries(stored))(
  "%s is stored as before, and read as it was",
  (_, [event, payload, reason]) => {
    const row = toStoredEvent(event)
    expect(JSON.stringify(row.payload)).toBe(payload)
    expect(row).toMatchObject({ version: 7, type: event.type, reason: reason ?? null, occurred_at: at })
    const read = fromStoredEvent(anOrderId, { ...row, payload: JSON.parse(payload) })
    expect(read).toStrictEqual(event)
  },
)

test("knows a shipment's tracking number and an erased reason no more", () => {
  const [shipped] = stored.OrderShipped ?? []
  const [cancelled] = stored.OrderCancelled ?? []
  if (shipped?.type !== "OrderShipped" || cancelled?.type !== "OrderCancelled")
    throw new Error("no such example")
  const parcel = toStoredEvent({ ...shipped, tracking: "RR 1" })
  expect(JSON.stringify(parcel)).not.toContain("RR 1")
  expect(fromStoredEvent(anOrderId, parcel)).toStrictEqual(shipped)
  const erased = { ...toStoredEvent(cancelled), reason: null }
  expect(fromStoredEvent(anOrderId, erased)).toStrictEqual({ ...cancelled, reason: "" })
})

test("reads a confirmation from before there were reservations", () => {
  const payload = JSON.parse(`{${repricedText}}`)
  const old = { version: 7, type: "OrderConfirmed", payload, reason: null, occurred_at: at }
  expect(fromStoredEvent(anOrderId, old)).toMatchObject({ reserved: [], reservedUntil: null })
})

test.each([
  ["a type of event that this version does not write", "OrderHeld", {}],
  ["a payload that lacks a member", "PaymentVoided", {}],
  [
    "an amount that is no whole number of minor units",
    "ItemAdded",
    { line: 1, product_id: "p", quantity: 1, unit_price_minor: "1.5" },
  ],
])("refuses to read %s", (_, type, payload) => {
  const row = { version: 7, type, payload, reason: null, occurred_at: at }
  expect(() => fromStoredEvent(anOrderId, row)).toThrow()
})
