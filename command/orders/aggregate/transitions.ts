// The life of an order: which command is taken in which status, and the statuses it can lead to. The decider refuses
// what is not here; the diagram in command/README.md is made from it.
import { type Refused, refuse } from "../../vocabulary/rejection.ts"
import type { ExistingOrderCommand } from "./commands.ts"
import type { Order } from "./order.ts"

type Status = Order["status"]
type CommandName = ExistingOrderCommand["type"]

export const transitions: Record<Status, Partial<Record<CommandName, readonly Status[]>>> = {
  draft: {
    AddItem: ["draft"],
    ChangeItem: ["draft"],
    RemoveItem: ["draft"],
    UpdateOrder: ["draft"],
    // An order that costs nothing is paid when it is confirmed.
    ConfirmOrder: ["confirmed", "paid"],
    CancelOrder: ["cancelled"],
  },
  confirmed: {
    UpdateOrder: ["confirmed"],
    PayOrder: ["confirmed"],
    CapturePayment: ["confirmed"],
    RecordPayment: ["confirmed", "paid"],
    CancelOrder: ["cancelled"],
  },
  paid: {
    UpdateOrder: ["paid"],
    // In part first, perhaps; the order is shipped when everything has left.
    ShipOrder: ["paid", "shipped"],
    DeliverShipment: ["paid"],
    RefundOrder: ["paid"],
    // Refunded in full, the order ends with the parcels that have left: shipped, or delivered if they have arrived.
    RecordRefund: ["paid", "shipped", "delivered"],
    // As long as nothing was shipped.
    CancelOrder: ["cancelled"],
  },
  shipped: {
    DeliverShipment: ["shipped", "delivered"],
    RefundOrder: ["shipped"],
    RecordRefund: ["shipped"],
  },
  delivered: {
    RefundOrder: ["delivered"],
    RecordRefund: ["delivered"],
  },
  cancelled: {
    // An answer of the provider that was outstanding: money that it took is given back.
    RecordPayment: ["cancelled"],
    RefundOrder: ["cancelled"],
    RecordRefund: ["cancelled"],
  },
}

const refusals = {
  AddItem: ["order-not-draft", "items can be added only to a draft"],
  ChangeItem: ["order-not-draft", "items can be changed only in a draft"],
  RemoveItem: ["order-not-draft", "items can be removed only from a draft"],
  ConfirmOrder: ["order-not-draft", "only a draft can be confirmed"],
  UpdateOrder: ["order-closed", "address and note are final"],
  CancelOrder: ["order-not-cancellable", "only a draft, confirmed or paid order can be cancelled"],
  PayOrder: ["order-not-payable", "only a confirmed order takes payments"],
  CapturePayment: ["order-not-payable", "only a confirmed order takes payments"],
  RecordPayment: ["order-not-payable", "only a confirmed order takes payments"],
  ShipOrder: ["order-not-shippable", "only a paid order is shipped"],
  DeliverShipment: ["order-not-deliverable", "nothing is under way"],
  RefundOrder: ["order-not-refundable", "only what was paid can be refunded"],
  RecordRefund: ["order-not-refundable", "only what was paid can be refunded"],
} as const satisfies Record<CommandName, readonly [code: Refused["rejection"]["code"], why: string]>

/** The rejection if an order in this status does not take the command. */
export function refuseUnlessTaken(status: Status, command: CommandName): Refused | undefined {
  if (transitions[status][command]) return undefined
  const [code, why] = refusals[command]
  return refuse(code, `The order is ${status}; ${why}.`, { order_status: status })
}
