// A made-up order system for tests of the read side: random transactions over customers, orders, items and
// payments, as the connector would send them, with the rows as they are at the source after each.
import type { DataRecord, Transaction, Value } from "../../../query/cdc/change.ts"
import { orderProjections } from "../../../query/orders/projections.ts"
import type { Choices } from "../../support/properties.ts"
import { remove, tableOf, transaction, upsert } from "./generation.ts"

const orders = tableOf(orderProjections, "orders")
const items = tableOf(orderProjections, "order_items")
const payments = tableOf(orderProjections, "payments")

type SourceRow = Readonly<Record<string, Value>>
const statuses = ["draft", "confirmed", "paid", "cancelled"]
const currencies = ["USD", "EUR"]
const created = ["2025-01-01T10:14:59.999999Z", "2025-01-01T10:15:00.000000Z", "2025-03-30T00:59:59.500000Z"]

export type OrdersAtWork = {
  /** The next transaction: some changes of some orders. */
  next: () => Transaction
  /** Living rows of the source, by table. */
  rows: () => Record<"orders" | "order_items" | "payments", SourceRow[]>
}

export function createOrdersAtWork(choices: Choices): OrdersAtWork {
  const orderRows = new Map<string, SourceRow>()
  const itemRows = new Map<string, SourceRow>()
  const paymentRows = new Map<string, SourceRow>()
  let at = 0

  return {
    next() {
      const records: DataRecord[] = []
      for (let changes = choices.pick(4); changes >= 0; changes--) records.push(...change())
      at += 10
      return transaction(at, records)
    },
    rows: () => ({
      orders: [...orderRows.values()],
      order_items: [...itemRows.values()],
      payments: [...paymentRows.values()],
    }),
  }

  function change(): DataRecord[] {
    const id = `o${choices.pick(4)}`
    const order = orderRows.get(id)
    if (!order) return [putOrder({ id, created_at: oneOf(created), ...someValues() })]
    switch (choices.pick(7)) {
      case 0:
        return [putOrder({ ...order, status: oneOf(statuses) })]
      case 1:
        return [putOrder({ ...order, customer_id: `c${choices.pick(3)}` })]
      case 2:
        return [putOrder({ ...order, ...someValues() })]
      case 3:
        return removeOrder(id)
      case 4:
        return [
          put(payments, paymentRows, {
            order_id: id,
            payment: 1 + choices.pick(2),
            status: oneOf(["authorized", "captured"]),
            amount_minor: 5n,
          }),
        ]
      default: {
        const line = 1 + choices.pick(3)
        if (itemRows.has(`${id}/${line}`) && choices.pick(3) === 0) return [drop(items, itemRows, id, line)]
        const quantity = 1 + choices.pick(5)
        return [put(items, itemRows, { order_id: id, line, product_id: "p", quantity, unit_price_minor: 7n })]
      }
    }
  }

  function someValues(): SourceRow {
    return {
      customer_id: `c${choices.pick(3)}`,
      status: oneOf(statuses),
      currency: oneOf(currencies),
      subtotal_minor: 9007199254740000n + BigInt(choices.pick(1000)),
      discount_minor: BigInt(choices.pick(50)),
      total_minor: BigInt(choices.pick(1000)),
      version: 1,
    }
  }

  function putOrder(row: SourceRow): DataRecord {
    return put(orders, orderRows, row)
  }

  /** An order leaves with what belongs to it, the parent first. */
  function removeOrder(id: string): DataRecord[] {
    const removed = [drop(orders, orderRows, id)]
    for (const row of [...itemRows.values()].filter((one) => one.order_id === id)) {
      removed.push(drop(items, itemRows, id, row.line ?? 0))
    }
    for (const row of [...paymentRows.values()].filter((one) => one.order_id === id)) {
      removed.push(drop(payments, paymentRows, id, row.payment ?? 0))
    }
    return removed
  }

  function put(table: typeof orders, rows: Map<string, SourceRow>, row: SourceRow): DataRecord {
    rows.set(table.key.map(({ name }) => row[name]).join("/"), row)
    return upsert(table, ++at, row)
  }

  function drop(table: typeof orders, rows: Map<string, SourceRow>, ...key: Value[]): DataRecord {
    rows.delete(key.join("/"))
    return remove(table, ++at, ...key)
  }

  function oneOf(options: readonly string[]): string {
    return options[choices.pick(options.length)] ?? ""
  }
}
