// Stock for an order that is being confirmed: all of it or none. Pure; store/known.ts has locked the rows.
import { accept, type Result, refuse } from "../../vocabulary/rejection.ts"
import type { Item } from "./order.ts"
import type { LineQuantity } from "./shipment.ts"

export type Stock = {
  onHand: bigint
  /** Part of `onHand` that other orders wait for. */
  reserved: bigint
}

/** Undefined: the product is not kept in stock and never short. */
export type StockOf = (productId: string) => Stock | undefined

/** The quantities to reserve, or a rejection that lists every product that is short. */
export function reserveStock(items: readonly Item[], stockOf: StockOf): Result<LineQuantity[]> {
  const kept = items.filter(({ productId }) => stockOf(productId))
  const wanted = new Map<string, bigint>()
  for (const { productId, quantity } of kept) {
    wanted.set(productId, (wanted.get(productId) ?? 0n) + BigInt(quantity))
  }
  const short = [...wanted].flatMap(([productId, quantity]) => {
    const { onHand, reserved } = stockOf(productId) ?? { onHand: 0n, reserved: 0n }
    const available = onHand - reserved
    return quantity > available
      ? [{ product_id: productId, wanted: Number(quantity), available: Number(available) }]
      : []
  })
  if (short.length > 0) {
    const names = short.map(({ product_id }) => product_id).join(", ")
    return refuse("insufficient-stock", `There is not enough in stock of: ${names.slice(0, 500)}.`, {
      products: short,
    })
  }
  return accept(kept.map(({ line, quantity }) => ({ line, quantity })))
}
