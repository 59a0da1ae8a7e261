import { describe, expect, test } from "vitest"
import type { Basket } from "../../../command/pricing/basket.ts"
import type { Discount } from "../../../command/pricing/discount.ts"
import {
  type PriceRules,
  price,
  refuseUnlessCodesApply,
  refuseUnlessSendable,
} from "../../../command/pricing/price.ts"
import { shareOf } from "../../../command/pricing/rounding.ts"
import type { ShippingRule } from "../../../command/pricing/shipping.ts"
import { maximumAmountMinor } from "../../../command/vocabulary/money.ts"
import { basket, fiveOff, keyboard, lamp, noRules, now, parcel, tenPercent } from "./given/examples.ts"

function priced(of: Basket, rules: Partial<PriceRules>) {
  const result = price(of, { ...noRules, ...rules })
  if (!result.ok) throw new Error(result.rejection.detail)
  return result.value
}

describe("a share", () => {
  test.each([
    [10n, 500, 1n],
    [9n, 500, 0n],
    [150n, 1_000, 15n],
    [5n, 1_000, 1n],
    [4n, 1_000, 0n],
    [100n, 10_000, 100n],
    [100n, 0, 0n],
    [maximumAmountMinor, 10_000, maximumAmountMinor],
  ])("of %s at %i basis points is %s, rounded half up", (amount, basisPoints, share) => {
    expect(shareOf(amount, basisPoints)).toBe(share)
  })
})

describe("discounts", () => {
  const stackable = { stackable: true }
  const yesterday = new Date(now.getTime() - 86_400_000)

  test.each<[string, Discount[], bigint]>([
    ["no discount", [], 0n],
    ["a percent", [tenPercent], 1_000n],
    ["a fixed amount", [fiveOff], 500n],
    [
      "a fixed amount beyond the subtotal",
      [{ ...fiveOff, off: { kind: "fixed", amountMinor: 20_000n } }],
      10_000n,
    ],
    ["a percent of one product's lines", [{ ...tenPercent, productId: keyboard }], 600n],
    [
      "a fixed amount beyond its product's lines",
      [{ ...fiveOff, productId: lamp, off: { kind: "fixed", amountMinor: 9_000n } }],
      4_000n,
    ],
    ["of two that do not stack the better", [fiveOff, tenPercent], 1_000n],
    [
      "those that stack together, the percent of the undiscounted amount",
      [
        { ...fiveOff, ...stackable },
        { ...tenPercent, ...stackable },
      ],
      1_500n,
    ],
    [
      "the single one if it is more than all that stack",
      [
        { ...fiveOff, ...stackable },
        { ...fiveOff, id: "another", ...stackable },
        { ...tenPercent, off: { kind: "percent", basisPoints: 1_001 } },
      ],
      1_001n,
    ],
    [
      "never more than the subtotal together",
      ["one", "two"].map((id) => ({
        ...tenPercent,
        id,
        ...stackable,
        off: { kind: "percent", basisPoints: 7_500 } as const,
      })),
      10_000n,
    ],
    ["nothing if it is inactive", [{ ...tenPercent, active: false }], 0n],
    ["nothing if it is over", [{ ...tenPercent, validUntil: now }], 0n],
    ["something until the last moment", [{ ...tenPercent, validUntil: new Date(now.getTime() + 1) }], 1_000n],
    ["nothing if it has not begun", [{ ...tenPercent, validFrom: new Date(now.getTime() + 1) }], 0n],
    ["something from the first moment", [{ ...tenPercent, validFrom: now }], 1_000n],
    ["nothing if it is used up", [{ ...tenPercent, usageLimit: 3, timesUsed: 3 }], 0n],
    ["something for the last use", [{ ...tenPercent, usageLimit: 3, timesUsed: 2 }], 1_000n],
    ["nothing for another customer", [{ ...tenPercent, customerId: "grace" }], 0n],
    ["something for this customer", [{ ...tenPercent, customerId: "ada" }], 1_000n],
    ["nothing in another currency", [{ ...tenPercent, currency: "EUR" }], 0n],
    ["nothing below the minimum", [{ ...tenPercent, minimumOrderMinor: 10_001n }], 0n],
    ["something at the minimum", [{ ...tenPercent, minimumOrderMinor: 10_000n }], 1_000n],
    ["nothing for a product that is not there", [{ ...tenPercent, productId: "kettle" }], 0n],
    ["nothing for a code that was not named", [{ ...tenPercent, code: "TEN" }], 0n],
    ["something that began yesterday", [{ ...tenPercent, validFrom: yesterday }], 1_000n],
  ])("take off %s", (_, discounts, discountMinor) => {
    const { breakdown, ...sums } = priced(basket, { discounts })
    expect(sums).toMatchObject({ discountMinor, totalMinor: 10_000n - discountMinor })
    expect(breakdown.discounts.reduce((sum, { amountMinor }) => sum + amountMinor, 0n)).toBe(discountMinor)
  })

  test("count one that takes nothing as not given", () => {
    const nothing: Discount = { ...tenPercent, off: { kind: "percent", basisPoints: 0 } }
    expect(priced(basket, { discounts: [nothing] }).breakdown.discounts).toEqual([])
  })
})

describe("a named code", () => {
  const coded: Discount = { ...tenPercent, code: "TEN" }
  const naming: Basket = { ...basket, codes: ["TEN"] }

  test("that applies is given and named in the breakdown", () => {
    const rules = { ...noRules, discounts: [coded] }
    expect(priced(naming, rules).breakdown.discounts).toEqual([
      { id: "ten-percent", code: "TEN", amountMinor: 1_000n },
    ])
    expect(refuseUnlessCodesApply(naming, rules, "as-it-is")).toBeUndefined()
  })

  test.each<[string, Discount[], isLasting: boolean]>([
    ["unknown", [], true],
    ["inactive", [{ ...coded, active: false }], true],
    ["not-yet-valid", [{ ...coded, validFrom: new Date(now.getTime() + 1) }], true],
    ["expired", [{ ...coded, validUntil: now }], true],
    ["used-up", [{ ...coded, usageLimit: 1, timesUsed: 1 }], true],
    ["other-customer", [{ ...coded, customerId: "grace" }], true],
    ["other-currency", [{ ...coded, currency: "EUR" }], true],
    ["product-not-in-order", [{ ...coded, productId: "kettle" }], false],
    ["minimum-not-reached", [{ ...coded, minimumOrderMinor: 10_001n }], false],
  ])("that is %s is refused, while the basket changes only for good reason", (why, discounts, isLasting) => {
    const rules = { ...noRules, discounts }
    const refused = { rejection: { code: "discount-not-applicable", about: { discount_code: "TEN", why } } }
    expect(refuseUnlessCodesApply(naming, rules, "as-it-is")).toMatchObject(refused)
    const early = refuseUnlessCodesApply(naming, rules, "whatever-comes")
    if (isLasting) expect(early).toMatchObject(refused)
    else expect(early).toBeUndefined()
  })
})

describe("shipping", () => {
  const sent: Basket = { ...basket, country: "DE" }
  const van: ShippingRule = { ...parcel, id: "van", maximumWeightGrams: null, priceMinor: 1_900n }

  test.each<[string, ShippingRule[], bigint, string | null]>([
    ["by the cheapest rule that carries it", [van, parcel], 490n, "parcel"],
    ["by the only rule that carries it", [van, { ...parcel, maximumWeightGrams: 3_199 }], 1_900n, "van"],
    ["at the limit of weight", [van, { ...parcel, maximumWeightGrams: 3_200 }], 490n, "parcel"],
    ["for nothing from the free amount on", [{ ...parcel, freeAboveMinor: 10_000n }], 0n, "parcel"],
    ["at its price below the free amount", [{ ...parcel, freeAboveMinor: 10_001n }], 490n, "parcel"],
    [
      "of two equal ones by the first id",
      [
        { ...parcel, id: "b" },
        { ...parcel, id: "a" },
      ],
      490n,
      "a",
    ],
    ["not by another country's rule", [{ ...parcel, country: "FR" }], 0n, null],
    ["not by another currency's rule", [{ ...parcel, currency: "EUR" }], 0n, null],
  ])("goes %s", (_, shippingRules, shippingMinor, rule) => {
    const rules = { ...noRules, shippingRules, isShippingCharged: true }
    const pricing = priced(sent, rules)
    expect(pricing).toMatchObject({ shippingMinor, breakdown: { shipping: { rule, weightGrams: 3_200n } } })
    const refused = refuseUnlessSendable(sent, pricing, rules)
    if (rule === null) expect(refused).toMatchObject({ rejection: { code: "shipping-unavailable" } })
    else expect(refused).toBeUndefined()
  })

  test("costs nothing where nobody charges for it, and nothing for what is collected", () => {
    expect(refuseUnlessSendable(sent, priced(sent, {}), noRules)).toBeUndefined()
    const charged = { ...noRules, isShippingCharged: true }
    expect(refuseUnlessSendable(basket, priced(basket, charged), charged)).toBeUndefined()
    expect(priced(basket, { shippingRules: [parcel] })).toMatchObject({
      shippingMinor: 0n,
      taxMinor: 0n,
      breakdown: { shipping: null, tax: null },
    })
  })
})

describe("tax", () => {
  test("is of goods less discount and shipping, once, half up", () => {
    const sent: Basket = { ...basket, country: "DE" }
    const rules = { discounts: [fiveOff], shippingRules: [parcel], isShippingCharged: true }
    // 19 % of 100.00 - 5.00 + 4.90 = 18.981
    expect(priced(sent, rules)).toMatchObject({ taxMinor: 1_898n, totalMinor: 11_888n })
  })

  test("is nothing in a country without a rate", () => {
    expect(priced({ ...basket, country: "FR" }, {})).toMatchObject({ taxMinor: 0n, breakdown: { tax: null } })
  })
})

describe("amounts at the limit", () => {
  const single = (unitPriceMinor: bigint, more: Partial<Basket> = {}): Basket => ({
    ...basket,
    ...more,
    lines: [{ productId: lamp, quantity: 1, unitPriceMinor, weightGrams: 0 }],
  })

  test.each<[string, Basket, boolean]>([
    ["the largest subtotal", single(maximumAmountMinor), true],
    ["one unit more", single(maximumAmountMinor + 1n), false],
    ["tax beyond the limit", single(maximumAmountMinor, { country: "DE" }), false],
  ])("%s", (_, one, fits) => {
    expect(price(one, noRules)).toMatchObject(
      fits ? { ok: true } : { ok: false, rejection: { code: "amount-too-large" } },
    )
  })

  test("a discount does not bring back a subtotal that cannot be stored", () => {
    const free: Discount = { ...tenPercent, off: { kind: "percent", basisPoints: 10_000 } }
    expect(price(single(maximumAmountMinor + 1n), { ...noRules, discounts: [free] }).ok).toBe(false)
  })
})
