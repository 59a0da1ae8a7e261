// Every command an order takes. Prices come from the catalogue; `price` is what the client believes it to be.
import type { CustomerId, OrderId, ProductId } from "../ids.ts"
import type { PaymentCommand } from "../payments/decide.ts"
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
  items: readonly RequestedItem[]
  fields: readonly DetailField[]
}

/** What only a draft takes. */
export type DraftCommand =
  | { type: "AddItem"; item: RequestedItem }
  | { type: "ChangeItem"; line: number; quantity: number }
  | { type: "RemoveItem"; line: number }
  | { type: "ConfirmOrder" }

export type ExistingOrderCommand =
  | DraftCommand
  | { type: "UpdateOrder"; fields: readonly DetailField[] }
  | { type: "CancelOrder"; reason: string }
  | PaymentCommand
  | ShipmentCommand

export type OrderCommand = CreateOrder | ExistingOrderCommand

/** The products whose prices must be known before the command can be decided. */
export function productsNamedIn(command: OrderCommand): ProductId[] {
  switch (command.type) {
    case "CreateOrder":
      return [...new Set(command.items.map((item) => item.productId))]
    case "AddItem":
      return [command.item.productId]
    case "UpdateOrder":
    case "ChangeItem":
    case "RemoveItem":
    case "ConfirmOrder":
    case "CancelOrder":
    case "PayOrder":
    case "CapturePayment":
    case "RecordPayment":
    case "RefundOrder":
    case "RecordRefund":
    case "ShipOrder":
    case "DeliverShipment":
      return []
    default:
      return command satisfies never
  }
}
