// A day of business: clerks serve customers side by side while prices change, goods come in and customers leave.
// Everything that is chosen follows from the seed; what happens at once is up to the services.
import type { Random } from "../support/random.ts"
import { address, cancel, confirm, type Desk, edit, place, placeWrongly, quote } from "./draft-story.ts"
import { fulfil } from "./fulfilment-story.ts"
import { changeRules, dropRules } from "./price-rules.ts"
import type { Shop } from "./shop.ts"
import { openShop } from "./shop.ts"
import type { Till } from "./till.ts"

const clerks = 8

export async function liveDay(options: {
  till: Till
  random: Random
  /** First part of every id and key of this day. */
  prefix: string
  orders: number
  /** Told after each order. */
  onServed: (served: number) => void
}): Promise<void> {
  const { till, prefix, orders, onServed } = options
  const shop = await openShop(till, options.random.fork("shop"), prefix, Math.max(10, Math.ceil(orders / 20)))
  let served = 0
  let begun = 0
  const serve = async (): Promise<void> => {
    while (begun < orders) {
      const number = begun++
      const random = options.random.fork(`order ${number}`)
      let keys = 0
      const desk = { till, random, shop, newKey: () => `${prefix}-${number}-${keys++}` }
      if (number % 25 === 0) await placeWrongly(desk)
      await serveOne(desk)
      if (number % 10 === 9) await runShop(till, random, shop)
      if (number % 25 === 24) await changeRules(till, random, shop.rules)
      onServed(++served)
    }
  }
  await Promise.all(Array.from({ length: clerks }, serve))
  await closeShop(till, shop)
}

async function serveOne(desk: Desk): Promise<void> {
  const { random } = desk
  if (random.chance(0.1)) await quote(desk)
  const placed = await place(desk)
  if (!placed) return
  await edit(desk, placed)
  if (random.chance(0.1)) return
  if (random.chance(0.08)) return cancel(desk, placed.path)
  const status = await confirm(desk, placed)
  if (status === undefined) return
  if (random.chance(0.1)) return cancel(desk, placed.path)
  await fulfil(desk, placed.path, status === "paid")
}

/** Between customers: a price changes, scarce goods come in, one customer moves and another leaves. */
async function runShop(till: Till, random: Random, { products, customers, idle }: Shop): Promise<void> {
  const product = random.pick(products)
  const path = `/products/${product.id}`
  const change = (body: object) => till.send({ name: "change product", method: "PATCH", path, body })
  await change({ price: random.chance(0.5) ? product.price : product.price.replace(/\d(?=\.|$)/, "7") })
  const scarce = random.pick(products.filter((one) => one.scarce))
  const adjust = random.chance(0.8) ? 1 + random.below(20) : -1
  const stock = {
    name: "adjust stock",
    method: "PATCH",
    path: `/products/${scarce.id}/stock`,
    body: { adjust },
  }
  await till.send(stock, ["stock-below-reserved", "insufficient-stock", "version-conflict"])
  const moving = `/customers/${random.pick(customers)}`
  await till.send({
    name: "change customer",
    method: "PATCH",
    path: moving,
    body: { address: address(random) },
  })
  const leaving = idle[random.below(idle.length)]
  if (leaving !== undefined && random.chance(0.3)) await till.send(erasure(leaving))
}

/** At the end of the day: a customer whose orders are all closed may go, one who waits for something may not. */
async function closeShop(till: Till, { customers, outOfSeason, rules }: Shop): Promise<void> {
  for (const customer of customers.slice(0, 20))
    await till.send(erasure(customer), ["customer-has-open-orders"])
  await dropRules(till, rules)
  await till.send({ name: "stop keeping stock", method: "DELETE", path: `/products/${outOfSeason}/stock` })
}

const erasure = (customer: string) => ({
  name: "erase customer",
  method: "DELETE",
  path: `/customers/${customer}`,
})
