// Every command an order takes. Prices come from the catalogue; `price` is the price that the client expects.
import type { CustomerId, OrderId, ProductId } from "../../vocabulary/ids.ts"
import type { PaymentCommand } from "./pay.ts"
import type { ShipmentCommand } from "./ship.ts"

/** Columns of an order that no rule looks at; events name them and never hold their values. */
export type DetailField = "shipping_address" | "note"

export type RequestedItem = {
  productId: ProductId
  quantity: number
  /** A plain decimal text. It must equal the catalogue's price exactly. */
  price?: string | undefined
}

export type CreateOrder = {
  type: "CreateOrder"
  orderId: OrderId
  customerId: CustomerId
  /** Needed only if there are no items to derive it from. */
  currency?: string | undefined
  /** Of the address; null without one. */
  country: string | null
  discountCodes: readonly string[]
  items: readonly RequestedItem[]
  fields: readonly DetailField[]
}

/** Absent members stay as they are. */
export type UpdateOrder = {
  type: "UpdateOrder"
  fields: readonly DetailField[]
  country?: string | null
  discountCodes?: readonly string[]
}

/** `expectedTotal` is a plain decimal text that the total must equal. */
export type ConfirmOrder = { type: "ConfirmOrder"; expectedTotal?: string | undefined }

/** A draft takes these commands, and each prices the draft again. */
export type DraftCommand =
  | UpdateOrder
  | { type: "AddItem"; item: RequestedItem }
  | { type: "ChangeItem"; line: number; quantity: number }
  | { type: "RemoveItem"; line: number }
  | ConfirmOrder

export type ExistingOrderCommand =
  | DraftCommand
  | { type: "CancelOrder"; reason: string }
  | PaymentCommand
  | ShipmentCommand

export type OrderCommand = CreateOrder | ExistingOrderCommand
