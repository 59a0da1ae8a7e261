// Chooses among the discounts that apply, pure. Two candidates compete: the best single discount that is not stackable,
// and all stackable discounts together. The candidate that takes more off wins; at the same amount the stackable
// discounts win. Stackable discounts are taken in this order: percents, then fixed amounts, each kind by id. Each percent
// is taken of the undiscounted amount that it is for and is rounded by itself. The sum never exceeds the subtotal.
// Example: 10 %, 5 % and 20.00 take 10.00 + 5.00 + 20.00 = 35.00 off 100.00. A single 30 % loses to them, 40 % wins.
import { type Basket, type GivenDiscount, subtotalOf } from "./basket.ts"
import { baseOf, type Discount } from "./discount.ts"
import { shareOf } from "./rounding.ts"

/** The discounts given, each with the amount that it takes off; a discount that takes nothing off is absent. */
export function chooseDiscounts(applicable: readonly Discount[], basket: Basket): GivenDiscount[] {
  const together = giveTogether(
    applicable.filter(({ stackable }) => stackable),
    basket,
  )
  let best = together
  for (const discount of applicable.filter(({ stackable }) => !stackable).sort(byId)) {
    const alone = giveTogether([discount], basket)
    if (sumOf(alone) > sumOf(best)) best = alone
  }
  return best
}

/** The amount that the given discounts take off together. */
export function sumOf(given: readonly GivenDiscount[]): bigint {
  return given.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)
}

function giveTogether(discounts: readonly Discount[], basket: Basket): GivenDiscount[] {
  const percents = discounts.filter(({ off }) => off.kind === "percent").sort(byId)
  const fixed = discounts.filter(({ off }) => off.kind === "fixed").sort(byId)
  let left = subtotalOf(basket.lines)
  const given: GivenDiscount[] = []
  for (const discount of [...percents, ...fixed]) {
    const amountMinor = atMost(amountOff(discount, basket), left)
    left -= amountMinor
    if (amountMinor > 0n) given.push({ id: discount.id, code: discount.code, amountMinor })
  }
  return given
}

/** A fixed amount counts once per order and never exceeds the subtotal of the lines that it is for. */
function amountOff(discount: Discount, basket: Basket): bigint {
  const base = baseOf(discount, basket)
  const { off } = discount
  return off.kind === "percent" ? shareOf(base, off.basisPoints) : atMost(off.amountMinor, base)
}

function atMost(amount: bigint, limit: bigint): bigint {
  return amount < limit ? amount : limit
}

function byId(one: Discount, other: Discount): number {
  return one.id < other.id ? -1 : 1
}
