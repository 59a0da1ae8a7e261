// Clients of the command service during a run: they place orders and change them over HTTP, and remember what was
// accepted. ACK: every accepted command is in the read model exactly once, so an order's version there is at least
// the last one acknowledged, with a history of exactly that length.
import { setTimeout as sleep } from "node:timers/promises"
import { z } from "zod"
import type { Random } from "../../support/random.ts"

export type Customers = {
  /** The last acknowledged version of each order placed. */
  acknowledged: ReadonlyMap<string, number>
  stop: () => Promise<void>
}

const orderShape = z.looseObject({ id: z.string(), version: z.number() })

export function startCustomers(options: {
  commandUrl: string
  random: Random
  count: number
  onOrder: (order: string) => void
}): Customers {
  let running = true
  const acknowledged = new Map<string, number>()
  const loops = Array.from({ length: options.count }, (_, n) => shop(options.random.fork(`customer ${n}`)))
  return {
    acknowledged,
    async stop() {
      running = false
      await Promise.all(loops)
    },
  }

  async function shop(choose: Random): Promise<void> {
    while (running) {
      const placed = await send("POST", "/orders", {
        customer_id: "customer-123",
        items: [{ product_id: "product-456", quantity: 1 + choose.below(4), price: "29.99" }],
        note: `note ${choose.below(1_000)}`,
      })
      if (placed) {
        options.onOrder(placed)
        for (let n = choose.below(4); n > 0; n--) {
          await send("POST", `/orders/${placed}/items`, {
            product_id: "product-457",
            quantity: 1 + choose.below(9),
          })
        }
        if (choose.chance(0.5)) await send("POST", `/orders/${placed}/confirm`)
        if (choose.chance(0.3)) await send("POST", `/orders/${placed}/cancel`, { reason: "changed my mind" })
      }
      await sleep(100 + choose.below(200))
    }
  }

  async function send(method: string, path: string, body?: object): Promise<string | null> {
    const response = await fetch(options.commandUrl + path, {
      method,
      ...(body ? { headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : {}),
    })
    const answer: unknown = await response.json()
    if (!response.ok) throw new Error(`${method} ${path} was refused: ${JSON.stringify(answer)}`)
    const { id, version } = orderShape.parse(answer)
    acknowledged.set(id, version)
    return id
  }
}
