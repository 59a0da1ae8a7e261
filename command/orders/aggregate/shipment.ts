// The stock that waits for an order from its confirmation on, and the parcels that have left. Part of the aggregate, and
// free of personal data but for the tracking number, which only passes through on its way to a column.

export type LineQuantity = { line: number; quantity: number }

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

export type Shipments = {
  /** Taken from stock for the order and still on hand; lines of products that are not kept in stock are not here. */
  reserved: readonly LineQuantity[]
  shipments: readonly Shipment[]
}

/** How much of a line has been sent. */
export function shippedOf({ shipments }: Pick<Shipments, "shipments">, line: number): number {
  return shipments
    .flatMap(({ items }) => items)
    .reduce((sum, item) => (item.line === line ? sum + item.quantity : sum), 0)
}

export function reservedOf({ reserved }: Pick<Shipments, "reserved">, line: number): number {
  return reserved.find((one) => one.line === line)?.quantity ?? 0
}
