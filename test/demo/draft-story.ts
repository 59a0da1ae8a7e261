// The first half of an order's life: placed, with every mistake that customers make, edited, and confirmed or given up.
import type { Random } from "../support/random.ts"
import { countries } from "./price-rules.ts"
import type { Product, Shop } from "./shop.ts"
import type { Outcome, Till } from "./till.ts"

/** What a clerk works with. */
export type Desk = { till: Till; random: Random; shop: Shop; newKey: () => string }

/** An order as the story knows it. */
export type Placed = { path: string; product: Product }

/** What rules that change during the day may say to an honest basket. */
const priceRefusals = ["discount-not-applicable", "shipping-unavailable"]

/** Asks what a basket would cost, and orders nothing. */
export async function quote({ till, random, shop }: Desk): Promise<void> {
  const body = {
    items: [{ product_id: random.pick(shop.products).id, quantity: 1 + random.below(4) }],
    ...(random.chance(0.7) ? { country: random.pick(countries) } : {}),
    ...(random.chance(0.3) ? { discount_codes: [random.pick(shop.rules.codes)] } : {}),
  }
  await till.send({ name: "quote", method: "POST", path: "/quotes", body }, priceRefusals)
}

const basket = (random: Random, { customers }: Shop, product: Product) => ({
  customer_id: random.pick(customers),
  items: [{ product_id: product.id, quantity: 1 + random.below(4) }],
})

/** Places an order, now and then twice with one key. Undefined if it was refused. */
export async function place({ till, random, shop, newKey }: Desk): Promise<Placed | undefined> {
  const product = random.pick(shop.products)
  const order = {
    ...basket(random, shop, product),
    ...(random.chance(0.7) ? { shipping_address: address(random) } : {}),
    ...(random.chance(0.2) ? { note: `Ring ${1 + random.below(3)} times` } : {}),
  }
  const place = (body: unknown, refusals: readonly string[] = [], headers: Record<string, string> = {}) =>
    till.send({ name: "place order", method: "POST", path: "/orders", body, headers }, refusals)
  if (random.chance(0.2)) {
    const placed = await place({ ...order, discount_codes: [random.pick(shop.rules.codes)] }, priceRefusals)
    return placed.code === null ? { path: `/orders/${String(placed.body.id)}`, product } : undefined
  }
  const key = random.chance(0.3) ? { "Idempotency-Key": newKey() } : {}
  const placed = await place(order, [], key)
  if ("Idempotency-Key" in key) {
    const again = await place(order, [], key)
    if (again.body.id !== placed.body.id) throw new Error("one key has placed two orders")
    await place({ ...order, note: "another" }, ["idempotency-key-reused"], key)
  }
  return placed.code === null ? { path: `/orders/${String(placed.body.id)}`, product } : undefined
}

export const address = (random: Random) => ({
  street: `${1 + random.below(200)} Main St`,
  city: "Springfield",
  zip: String(10_000 + random.below(80_000)),
  country: random.pick(countries),
})

/** An order in every way that is wrong. */
export async function placeWrongly({ till, random, shop }: Desk): Promise<void> {
  const order = basket(random, shop, random.pick(shop.products))
  const [item] = order.items
  for (const [body, code] of [
    [{ ...order, customer_id: "nobody" }, "customer-unknown"],
    [{ ...order, items: [{ ...item, product_id: "nothing" }] }, "product-unknown"],
    [{ ...order, items: [{ ...item, product_id: shop.outOfSeason }] }, "product-inactive"],
    [{ ...order, items: [{ ...item, price: "0.99" }] }, "price-mismatch"],
    [{ ...order, discount_codes: ["no-such-code"] }, "discount-not-applicable"],
    [{ ...order, items: [{ ...item, quantity: 0 }] }, "invalid-request"],
    [{ ...order, items: [] }, "currency-required"],
    ["{", "malformed-json"],
  ] as const)
    await till.send({ name: "place order", method: "POST", path: "/orders", body }, [code])
}

/** A few changes of the draft, some by two writers at once. */
export async function edit(desk: Desk, { path, product }: Placed): Promise<void> {
  const { till, random, shop } = desk
  for (let changes = random.below(3); changes > 0; changes--) {
    switch (random.below(6)) {
      case 0: {
        const other = random.pick(shop.products)
        const body = { product_id: other.id, quantity: 1 + random.below(3) }
        await till.send({ name: "add item", method: "POST", path: `${path}/items`, body }, [
          "currency-mismatch",
        ])
        break
      }
      case 1: {
        const body = { product_id: product.id, quantity: 1 }
        await till.send({ name: "add item", method: "POST", path: `${path}/items`, body })
        break
      }
      case 2: {
        const body = { quantity: 1 + random.below(5) }
        await till.send({ name: "change item", method: "PATCH", path: `${path}/items/1`, body })
        break
      }
      case 3: {
        const body = { product_id: product.id, quantity: 2 }
        const added = await till.send({ name: "add item", method: "POST", path: `${path}/items`, body })
        const line = random.chance(0.2) ? 99 : newestLine(added)
        await till.send({ name: "remove item", method: "DELETE", path: `${path}/items/${line}` }, [
          "line-not-found",
        ])
        break
      }
      case 4: {
        const body = { note: random.chance(0.3) ? null : `Gift ${random.below(1_000)}` }
        await till.send({ name: "update order", method: "PATCH", path, body })
        break
      }
      default:
        await editAtOnce(desk, path)
    }
  }
}

function newestLine({ body }: Outcome): number {
  const items: { line: number }[] = Array.isArray(body.items) ? body.items : []
  return Math.max(...items.map(({ line }) => line))
}

/** Two writers who saw the same version: at most one may win. */
async function editAtOnce({ till }: Desk, path: string): Promise<void> {
  const seen = await till.send({ name: "update order", method: "PATCH", path, body: { note: "Look again" } })
  const headers = { "If-Match": seen.headers.get("etag") ?? "" }
  const write = (note: string) =>
    till.send({ name: "update order at once", method: "PATCH", path, body: { note }, headers }, [
      "version-mismatch",
      "version-conflict",
    ])
  const written = await Promise.all([write("first"), write("second")])
  if (written.filter(({ code }) => code === null).length > 1)
    throw new Error("two writers have won one version")
}

/** Confirms, with what can stand in the way. The order's status afterwards; undefined if it is a draft still. */
export async function confirm(desk: Desk, { path }: Placed): Promise<unknown> {
  const { till, random } = desk
  const send = (refusals: readonly string[]): Promise<Outcome> =>
    till.send({ name: "confirm order", method: "POST", path: `${path}/confirm` }, refusals)
  if (random.chance(0.05)) {
    const both = await Promise.all([
      send(["order-not-draft", "version-conflict", "insufficient-stock", ...priceRefusals]),
      send(["order-not-draft", "version-conflict", "insufficient-stock", ...priceRefusals]),
    ])
    return both.find(({ code }) => code === null)?.body.status
  }
  const confirmed = await send(["insufficient-stock", ...priceRefusals])
  if (confirmed.code === null) {
    if (random.chance(0.05)) {
      const body = { quantity: 2 }
      await till.send({ name: "change item", method: "PATCH", path: `${path}/items/1`, body }, [
        "order-not-draft",
      ])
    }
    return confirmed.body.status
  }
  return undefined
}

export async function cancel(
  { till, random }: Desk,
  path: string,
  refusals: readonly string[] = [],
): Promise<void> {
  const reason = random.pick(["changed my mind", "found it cheaper", "took too long"])
  await till.send(
    { name: "cancel order", method: "POST", path: `${path}/cancel`, body: { reason } },
    refusals,
  )
}
