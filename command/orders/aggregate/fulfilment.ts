// What an order keeps from its confirmation on: stock that waits for it, payments, refunds and shipments. Part of the
// aggregate, and like it free of personal data, but for what only passes through on its way to a column.

export type LineQuantity = { line: number; quantity: number }

export type Payment = {
  /** 1, 2, .. */
  payment: number
  /** `pending`: asked and not answered yet; `unknown`: nobody knows what the provider did. Both are resolved later. */
  status: "pending" | "unknown" | "authorized" | "captured" | "declined" | "voided"
  amountMinor: bigint
  capturedMinor: bigint
  /** Of what was captured, by refunds that succeeded. */
  refundedMinor: bigint
  provider: string
  /** The provider's name for it, once it has answered. */
  reference: string | null
  /** Why it was declined: a code of the provider. */
  failure: string | null
}

export type Refund = {
  /** 1, 2, .. */
  refund: number
  /** What is given back is of this payment. */
  payment: number
  status: "pending" | "unknown" | "succeeded" | "failed"
  amountMinor: bigint
  reference: string | null
  failure: string | null
}

export type Shipment = {
  /** 1, 2, .. */
  shipment: number
  carrier: string
  /** Names a parcel and so a person: a column, never part of an event. */
  tracking: string | null
  items: readonly LineQuantity[]
  shippedAt: Date
  deliveredAt: Date | null
}

export type Fulfilment = {
  /** What is taken from stock for the order and still on hand; lines of products that are not kept in stock are not here. */
  reserved: readonly LineQuantity[]
  payments: readonly Payment[]
  refunds: readonly Refund[]
  shipments: readonly Shipment[]
}

export const nothingFulfilled: Fulfilment = { reserved: [], payments: [], refunds: [], shipments: [] }

/** How much of a line has been sent. */
export function shippedOf({ shipments }: Fulfilment, line: number): number {
  return shipments
    .flatMap(({ items }) => items)
    .reduce((sum, item) => (item.line === line ? sum + item.quantity : sum), 0)
}

export function reservedOf({ reserved }: Fulfilment, line: number): number {
  return reserved.find((one) => one.line === line)?.quantity ?? 0
}
