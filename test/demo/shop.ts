// What the day begins with: a catalogue with plenty of some things and little of others, and customers.
import type { Random } from "../support/random.ts"
import { type PriceRules, setRules } from "./price-rules.ts"
import type { Till } from "./till.ts"

export type Product = { id: string; currency: string; price: string; scarce: boolean }

export type Shop = {
  products: readonly Product[]
  /** A product that is not sold now. */
  outOfSeason: string
  rules: PriceRules
  customers: readonly string[]
  /** Customers for whom no order is placed, to be erased while the others are served. */
  idle: readonly string[]
}

const catalogue = [
  ["Mechanical keyboard", "89.99", "USD", 900],
  ["Desk lamp", "49.50", "USD", 1_400],
  ["Notebook", "4.50", "USD", 300],
  ["Standing desk", "549.00", "USD", 32_000],
  ["Fountain pen", "31.20", "USD", 60],
  ["Sticker", "0.01", "USD", 1],
  ["Kettle", "39.90", "EUR", 1_100],
  ["Teapot", "24.00", "EUR", 800],
  ["Tea bowl", "2500", "JPY", 250],
  ["Whisk", "1800", "JPY", 40],
  ["Lantern", "12.345", "KWD", 700],
] as const

const scarceStock = 10

/** Ids begin with `prefix`, so that days do not get into each other's way. */
export async function openShop(till: Till, random: Random, prefix: string, customers: number): Promise<Shop> {
  const products: Product[] = []
  for (const [index, [name, price, currency, weight_grams]] of catalogue.entries()) {
    const id = `${prefix}-p${index}`
    // One of each currency's is scarce: it runs out during the day and is brought in again.
    const scarce = index % 4 === 1
    const stock = scarce ? scarceStock : undefined
    const body = { id, name, price, currency, weight_grams, ...(stock === undefined ? {} : { stock }) }
    await till.send({ name: "create product", method: "POST", path: "/products", body })
    products.push({ id, currency, price, scarce })
  }
  const outOfSeason = `${prefix}-sledge`
  const sledge = { id: outOfSeason, name: "Sledge", price: "79.00", currency: "USD", active: false }
  await till.send({ name: "create product", method: "POST", path: "/products", body: sledge })
  const stock = { name: "set stock", method: "PUT", path: `/products/${outOfSeason}/stock` }
  await till.send({ ...stock, body: { on_hand: 3 } })
  const ids: string[] = []
  for (let n = 0; n < customers; n++) {
    const body = {
      email: `${prefix}-c${n}@example.com`,
      name: `Customer ${n}`,
      ...(random.chance(0.5) ? { phone: `+1 555 ${String(n).padStart(4, "0")}` } : {}),
    }
    const created = await till.send({ name: "create customer", method: "POST", path: "/customers", body })
    ids.push(String(created.body.id))
  }
  await till.send(
    {
      name: "create customer",
      method: "POST",
      path: "/customers",
      body: { email: `${prefix.toUpperCase()}-C0@EXAMPLE.com`, name: "The same address" },
    },
    ["email-taken"],
  )
  const idle = ids.splice(0, Math.ceil(customers / 10))
  const rules = await setRules(till, prefix, products)
  return { products, outOfSeason, rules, customers: ids, idle }
}
