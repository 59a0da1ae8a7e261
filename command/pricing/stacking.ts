// Chooses among the discounts that apply, pure: the best single one that does not stack, or all that stack
// together, whichever takes more off; if they are equal, those that stack.
// Together means percents first, each of the undiscounted amount that it is for, rounded by itself, then fixed
// amounts; within both by id. Nothing is taken twice: the sum ends at the subtotal.
import { type Basket, type GivenDiscount, subtotalOf } from "./basket.ts"
import { baseOf, type Discount } from "./discount.ts"
import { shareOf } from "./rounding.ts"

/** The discounts given, each with what it takes off; those that take nothing are absent. */
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

/** What the given discounts take off together. */
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

/** A fixed amount is per order, and never more than what its product costs. */
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
