// A made-up order system for tests of the read side: random transactions over customers, products, orders and all that
// belongs to them, as the connector would send them, with the rows as they are at the source after each.
import type { DataRecord, Transaction, Value } from "../../../../query/cdc/vocabulary/change.ts"
import { orderProjections } from "../../../../query/orders/projections.ts"
import type { Choices } from "../../../support/properties.ts"
import { remove, tableOf, transaction, upsert } from "./generation.ts"

const orders = tableOf(orderProjections, "orders")
const items = tableOf(orderProjections, "order_items")
const payments = tableOf(orderProjections, "payments")
const refunds = tableOf(orderProjections, "refunds")
const shipments = tableOf(orderProjections, "shipments")
const shipmentItems = tableOf(orderProjections, "shipment_items")
const customers = tableOf(orderProjections, "customers")
const products = tableOf(orderProjections, "products")
const inventory = tableOf(orderProjections, "inventory")

const tables = {
  orders,
  order_items: items,
  payments,
  refunds,
  shipments,
  shipment_items: shipmentItems,
  customers,
  products,
  inventory,
}
type TableName = keyof typeof tables

type SourceRow = Readonly<Record<string, Value>>
const statuses = ["draft", "confirmed", "paid", "shipped", "delivered", "cancelled"]
const currencies = ["USD", "EUR"]
const created = ["2025-01-01T10:14:59.999999Z", "2025-01-01T10:15:00.000000Z", "2025-03-30T00:59:59.500000Z"]

export type OrdersAtWork = {
  /** The next transaction: some changes of some orders. */
  next: () => Transaction
  /** Living rows of the source, by table. */
  rows: () => Record<TableName, SourceRow[]>
}

export function createOrdersAtWork(choices: Choices): OrdersAtWork {
  const living: Record<TableName, Map<string, SourceRow>> = {
    orders: new Map(),
    order_items: new Map(),
    payments: new Map(),
    refunds: new Map(),
    shipments: new Map(),
    shipment_items: new Map(),
    customers: new Map(),
    products: new Map(),
    inventory: new Map(),
  }
  let at = 0

  return {
    next() {
      const records: DataRecord[] = []
      for (let changes = choices.pick(4); changes >= 0; changes--) records.push(...change())
      at += 10
      return transaction(at, records)
    },
    rows: () => ({
      orders: [...living.orders.values()],
      order_items: [...living.order_items.values()],
      payments: [...living.payments.values()],
      refunds: [...living.refunds.values()],
      shipments: [...living.shipments.values()],
      shipment_items: [...living.shipment_items.values()],
      customers: [...living.customers.values()],
      products: [...living.products.values()],
      inventory: [...living.inventory.values()],
    }),
  }

  function change(): DataRecord[] {
    const id = `o${choices.pick(4)}`
    const order = living.orders.get(id)
    if (!order) return [put("orders", { id, created_at: oneOf(created), ...someValues() })]
    switch (choices.pick(11)) {
      case 0:
        return [put("orders", { ...order, status: oneOf(statuses) })]
      case 1:
        return [put("orders", { ...order, customer_id: `c${choices.pick(3)}` })]
      case 2:
        return [put("orders", { ...order, ...someValues() })]
      case 3:
        return removeOrder(id)
      case 4:
        return [
          put("payments", {
            order_id: id,
            payment: 1 + choices.pick(2),
            status: oneOf(["authorized", "captured"]),
            amount_minor: 5n,
          }),
        ]
      case 5:
        return refund(id, order)
      case 6:
        return ship(id, order)
      case 7:
        return [put("customers", { id: `c${choices.pick(3)}`, name: `name ${at}`, version: at })]
      case 8:
        return [
          put("products", {
            id: `p${choices.pick(3)}`,
            name: `name ${at}`,
            price_minor: BigInt(at),
            active: true,
          }),
          put("inventory", { product_id: `p${choices.pick(3)}`, on_hand: BigInt(at), reserved: 1n }),
        ]
      default: {
        const line = 1 + choices.pick(3)
        const isThere = living.order_items.has(`${id}/${line}`)
        if (isThere && choices.pick(3) === 0) return [drop("order_items", id, line)]
        const [quantity, product_id] = [1 + choices.pick(5), `p${choices.pick(3)}`]
        return [put("order_items", { order_id: id, line, product_id, quantity, unit_price_minor: 7n })]
      }
    }
  }

  /** With what the order keeps of it, in one transaction as the write side does. */
  function refund(id: string, order: SourceRow): DataRecord[] {
    const amount = 1n + BigInt(choices.pick(9))
    const status = oneOf(["pending", "succeeded", "failed"])
    const row = put("refunds", {
      order_id: id,
      refund: 1 + choices.pick(2),
      payment: 1,
      status,
      amount_minor: amount,
    })
    return [row, put("orders", { ...order, captured_minor: 20n, refunded_minor: amount })]
  }

  function ship(id: string, order: SourceRow): DataRecord[] {
    const shipment = 1 + choices.pick(2)
    return [
      put("shipments", { order_id: id, shipment, carrier: "c", delivered_at: oneOf(created) }),
      put("shipment_items", { order_id: id, shipment, line: 1 + choices.pick(3), quantity: 1 }),
      put("orders", { ...order, status: oneOf(["paid", "shipped", "delivered"]) }),
    ]
  }

  function someValues(): SourceRow {
    return {
      customer_id: `c${choices.pick(3)}`,
      status: oneOf(statuses),
      currency: oneOf(currencies),
      subtotal_minor: 9007199254740000n + BigInt(choices.pick(1000)),
      discount_minor: BigInt(choices.pick(50)),
      total_minor: BigInt(choices.pick(1000)),
      captured_minor: BigInt(choices.pick(2) * 20),
      refunded_minor: BigInt(choices.pick(3)),
      country: choices.pick(2) === 0 ? null : oneOf(["DE", "FR"]),
      version: 1,
    }
  }

  /** An order leaves with what belongs to it, the parent first. */
  function removeOrder(id: string): DataRecord[] {
    const removed = [drop("orders", id)]
    for (const name of ["order_items", "payments", "refunds", "shipments", "shipment_items"] as const) {
      for (const row of [...living[name].values()].filter((one) => one.order_id === id)) {
        removed.push(drop(name, ...tables[name].key.map((column) => row[column.name] ?? null)))
      }
    }
    return removed
  }

  function put(name: TableName, row: SourceRow): DataRecord {
    const table = tables[name]
    living[name].set(table.key.map((column) => row[column.name]).join("/"), row)
    return upsert(table, ++at, row)
  }

  function drop(name: TableName, ...key: Value[]): DataRecord {
    living[name].delete(key.join("/"))
    return remove(tables[name], ++at, ...key)
  }

  function oneOf(options: readonly string[]): string {
    return options[choices.pick(options.length)] ?? ""
  }
}
