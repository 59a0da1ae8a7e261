// What prices depend on besides the catalogue: taxes, what sending costs, and discounts of every kind. They are set
// before the first customer comes, changed during the day, and taken away at its end, so that the next day begins anew.
import type { Random } from "../support/random.ts"
import type { Product } from "./shop.ts"
import type { Till } from "./till.ts"

export type PriceRules = {
  /** Codes that customers name; the last is used up before noon. */
  codes: readonly string[]
  /** Of the country and currency that only light parcels are sent to, and all others. */
  shippingRules: readonly string[]
  discounts: readonly string[]
}

/** Where orders go. */
export const countries = ["US", "DE", "FR", "JP"] as const
const taxRates: readonly (readonly [(typeof countries)[number], number])[] = [
  ["US", 825],
  ["DE", 1_900],
  ["FR", 2_000],
]
const postage = { USD: ["4.90", "100"], EUR: ["3.90", "60"], JPY: ["500", "8000"], KWD: ["1.500", "40"] }

export async function setRules(
  till: Till,
  prefix: string,
  products: readonly Product[],
): Promise<PriceRules> {
  for (const [country, basis_points] of taxRates) {
    const body = { country, basis_points }
    // A day that was broken off has left it.
    await till.send({ name: "create tax rate", method: "POST", path: "/tax-rates", body }, [
      "tax-rate-exists",
    ])
  }
  const create = async (name: string, path: string, body: object): Promise<string> =>
    String((await till.send({ name, method: "POST", path, body })).body.id)
  const shippingRules: string[] = []
  for (const country of countries) {
    for (const [currency, [price, free_above]] of Object.entries(postage)) {
      // What is heavier than that is not sent there.
      const light = country === "JP" && currency === "USD" ? { maximum_weight_grams: 20_000 } : {}
      const rule = { country, currency, price, free_above, ...light }
      shippingRules.push(await create("create shipping rule", "/shipping-rules", rule))
    }
  }
  const codes = ["TEN", "FIVE-OFF", "ONLY-20"].map((code) => `${prefix}-${code}`)
  const [percent, amount, rare] = codes
  const discounts: string[] = []
  for (const discount of [
    { code: percent, basis_points: 1_000, stackable: true },
    { code: amount, amount: "5.00", currency: "USD", minimum_order: "40.00", stackable: true },
    { code: rare, basis_points: 5_000, usage_limit: 20 },
    { product_id: products[0]?.id, basis_points: 250, stackable: true },
    { amount: "20.00", currency: "EUR", minimum_order: "250.00" },
  ]) {
    discounts.push(await create("create discount", "/discounts", discount))
  }
  await till.send(
    { name: "create discount", method: "POST", path: "/discounts", body: { code: percent, basis_points: 1 } },
    ["discount-code-taken"],
  )
  return { codes, shippingRules, discounts }
}

/** Between customers: drafts take the change with their next one, confirmed orders never. */
export async function changeRules(till: Till, random: Random, rules: PriceRules): Promise<void> {
  const [name, path, body] = random.pick([
    ["change tax rate", "/tax-rates/US", { basis_points: 800 + random.below(100) }],
    ["change shipping rule", `/shipping-rules/${random.pick(rules.shippingRules)}`, { free_above: null }],
    ["change discount", `/discounts/${rules.discounts[0]}`, { basis_points: 500 + random.below(1_000) }],
  ] as const)
  await till.send({ name, method: "PATCH", path, body })
}

/** Orders keep what they were charged by. A discount cannot be taken away, only ended. */
export async function dropRules(till: Till, rules: PriceRules): Promise<void> {
  for (const id of rules.shippingRules)
    await till.send({ name: "delete shipping rule", method: "DELETE", path: `/shipping-rules/${id}` })
  for (const [country] of taxRates)
    await till.send({ name: "delete tax rate", method: "DELETE", path: `/tax-rates/${country}` })
  for (const id of rules.discounts)
    await till.send({
      name: "change discount",
      method: "PATCH",
      path: `/discounts/${id}`,
      body: { active: false },
    })
}
