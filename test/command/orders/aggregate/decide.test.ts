import { describe, expect, test } from "vitest"
import type { OrderCommand, RequestedItem } from "../../../../command/orders/aggregate/commands.ts"
import { decide } from "../../../../command/orders/aggregate/decide.ts"
import type { Order } from "../../../../command/orders/aggregate/order.ts"
import { maximumLines } from "../../../../command/orders/aggregate/requested-items.ts"
import { productId } from "../../../../command/vocabulary/ids.ts"
import type { RejectionCode } from "../../../../command/vocabulary/rejection.ts"
import {
  aCustomerId,
  anOrderId,
  at,
  cancelled,
  confirmed,
  draft,
  emptyDraft,
  keyboard,
  known,
  orderIn,
} from "../given/examples.ts"

const item = (id: string, quantity = 1, price?: string): RequestedItem => ({
  productId: productId.parse(id),
  quantity,
  price,
})
const create = (items: RequestedItem[], currency?: string): OrderCommand => ({
  type: "CreateOrder",
  orderId: anOrderId,
  customerId: aCustomerId,
  currency,
  country: null,
  discountCodes: [],
  items,
  fields: ["note"],
})
const add = (added: RequestedItem): OrderCommand => ({ type: "AddItem", item: added })
const update: OrderCommand = { type: "UpdateOrder", fields: ["note"] }
const change: OrderCommand = { type: "ChangeItem", line: 1, quantity: 5 }
const remove: OrderCommand = { type: "RemoveItem", line: 1 }
const confirm: OrderCommand = { type: "ConfirmOrder" }
const cancel: OrderCommand = { type: "CancelOrder", reason: "changed my mind" }

const [paid, shipped, delivered] = [orderIn("paid"), orderIn("shipped"), orderIn("delivered")]
const full = {
  ...draft,
  items: Array.from({ length: maximumLines }, (_, index) => ({
    line: index + 1,
    productId: keyboard,
    quantity: 1,
    unitPriceMinor: 1n,
  })),
}

describe("an accepted command", () => {
  test.each<[string, Order | undefined, OrderCommand, object]>([
    [
      "creates an order at the catalogue's price, a product named twice on two lines",
      undefined,
      create([item("keyboard", 2, "29.99"), item("keyboard")]),
      {
        type: "OrderCreated",
        currency: "USD",
        items: [
          { line: 1, productId: "keyboard", quantity: 2, unitPriceMinor: 2999n },
          { line: 2, productId: "keyboard", quantity: 1, unitPriceMinor: 2999n },
        ],
        fields: ["note"],
        version: 1,
      },
    ],
    [
      "creates an empty order of a named currency",
      undefined,
      create([], "JPY"),
      { type: "OrderCreated", currency: "JPY", items: [] },
    ],
    ["accepts a price with more zeros", draft, add(item("lamp", 1, "49.500")), { type: "ItemAdded" }],
    [
      "adds an item on the next line",
      draft,
      add(item("lamp")),
      { item: { line: 2, productId: "lamp", quantity: 1, unitPriceMinor: 4950n }, version: 2 },
    ],
    [
      "never gives a removed line's number again",
      { ...emptyDraft, lastLine: 7 },
      add(item("lamp")),
      { item: { line: 8, productId: "lamp", quantity: 1, unitPriceMinor: 4950n } },
    ],
    ["changes a quantity", draft, change, { type: "ItemChanged", line: 1, quantity: 5 }],
    ["removes a line", draft, remove, { type: "ItemRemoved", line: 1 }],
    ["updates details of a draft", draft, update, { type: "OrderUpdated", fields: ["note"] }],
    ["updates details of a confirmed order", confirmed, update, { type: "OrderUpdated" }],
    ["updates details of a paid order", paid, update, { type: "OrderUpdated" }],
    ["confirms a draft", draft, confirm, { type: "OrderConfirmed", version: 2 }],
    ["cancels a draft", draft, cancel, { type: "OrderCancelled", reason: "changed my mind" }],
    ["cancels a confirmed order", confirmed, cancel, { type: "OrderCancelled", version: 3 }],
    ["cancels a paid order", paid, cancel, { type: "OrderCancelled" }],
  ])("%s", (_, order, command, event) => {
    const decision = decide(order, command, known)
    expect(decision).toMatchObject({ ok: true, value: { at, ...event } })
  })
})

describe("a refused command", () => {
  test.each<[RejectionCode, string, Order | undefined, OrderCommand]>([
    ["order-not-found", "any change of an unknown order", undefined, confirm],
    ["currency-required", "an order with neither items nor currency", undefined, create([])],
    ["currency-mismatch", "items of two currencies", undefined, create([item("lamp"), item("kettle")])],
    ["currency-mismatch", "a currency other than the items'", undefined, create([item("lamp")], "EUR")],
    ["currency-mismatch", "adding an item of another currency", draft, add(item("kettle"))],
    ["product-unknown", "an unknown product", undefined, create([item("unicorn")])],
    ["product-unknown", "adding an unknown product", draft, add(item("unicorn"))],
    ["product-inactive", "a product that is not for sale", draft, add(item("retired"))],
    ["price-mismatch", "a lower price", undefined, create([item("keyboard", 1, "29.98")])],
    ["price-mismatch", "a price a fraction off", undefined, create([item("keyboard", 1, "29.990001")])],
    [
      "too-many-lines",
      "more lines than allowed",
      undefined,
      create(Array.from({ length: maximumLines + 1 }, () => item("lamp"))),
    ],
    ["too-many-lines", "adding to a full order", full, add(item("lamp"))],
    ["amount-too-large", "a sum beyond bigint", undefined, create([item("palace", 2)])],
    ["amount-too-large", "adding beyond bigint", draft, add(item("palace", 2))],
    [
      "amount-too-large",
      "multiplying beyond bigint",
      {
        ...draft,
        items: [{ line: 1, productId: productId.parse("palace"), quantity: 1, unitPriceMinor: 1n }],
      },
      change,
    ],
    ["line-not-found", "changing an unknown line", draft, { type: "ChangeItem", line: 2, quantity: 1 }],
    ["line-not-found", "removing an unknown line", draft, { type: "RemoveItem", line: 2 }],
    ["order-empty", "confirming an empty order", emptyDraft, confirm],
    ["order-not-cancellable", "cancelling twice", cancelled, cancel],
    ["order-not-cancellable", "cancelling a shipped order", shipped, cancel],
    ["order-not-cancellable", "cancelling a delivered order", delivered, cancel],
    ["order-closed", "updating a shipped order", shipped, update],
    ["order-closed", "updating a delivered order", delivered, update],
    ["order-closed", "updating a cancelled order", cancelled, update],
    ...[confirmed, paid, shipped, delivered, cancelled].flatMap((order) =>
      [add(item("lamp")), change, remove, confirm].map(
        (command): [RejectionCode, string, Order, OrderCommand] => [
          "order-not-draft",
          `${command.type} of a ${order.status} order`,
          order,
          command,
        ],
      ),
    ),
  ])("is %s: %s", (code, _, order, command) => {
    expect(decide(order, command, known)).toMatchObject({ ok: false, rejection: { code } })
  })

  test("names the current price where the client's was another", () => {
    expect(decide(undefined, create([item("keyboard", 1, "1.00")]), known)).toMatchObject({
      rejection: {
        about: { product_id: "keyboard", current_price: { amount: "29.99", currency: "USD" } },
      },
    })
  })
})
