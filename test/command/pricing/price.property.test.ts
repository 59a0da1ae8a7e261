// What holds for the price of any basket under any rules.
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { price } from "../../../command/pricing/price.ts"
import { productId } from "../../../command/vocabulary/ids.ts"
import { fractionDigits, maximumAmountMinor, toMoneyBody } from "../../../command/vocabulary/money.ts"
import { propertyRuns } from "../../support/properties.ts"
import { basket, now } from "./given/examples.ts"

describe("any price", () => {
  const currency = fc.constantFrom("USD", "JPY", "KWD")
  const product = fc.constantFrom("keyboard", "lamp", "kettle")
  const amount = fc.oneof(fc.bigInt(0n, 100_000n), fc.bigInt(0n, maximumAmountMinor))
  const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: null })
  const lines = fc.array(
    fc.record({
      productId: product.map((id) => productId.parse(id)),
      quantity: fc.integer({ min: 1, max: 100_000 }),
      unitPriceMinor: amount,
      weightGrams: fc.integer({ min: 0, max: 1_000_000_000 }),
    }),
    { maxLength: 5 },
  )
  const discounts = fc.uniqueArray(
    fc.record({
      id: fc.string({ minLength: 1 }),
      code: fc.constantFrom(null, "A", "B"),
      customerId: fc.constantFrom(null, "ada", "grace"),
      productId: maybe(product),
      off: fc.oneof(
        fc.record({
          kind: fc.constant("percent" as const),
          basisPoints: fc.integer({ min: 0, max: 10_000 }),
        }),
        fc.record({ kind: fc.constant("fixed" as const), amountMinor: amount }),
      ),
      currency: maybe(currency),
      minimumOrderMinor: fc.oneof(fc.constant(0n), amount),
      usageLimit: maybe(fc.integer({ min: 1, max: 3 })),
      timesUsed: fc.integer({ min: 0, max: 3 }),
      stackable: fc.boolean(),
      active: fc.boolean(),
      validFrom: fc.constantFrom(new Date(0), now, new Date(now.getTime() + 1)),
      validUntil: fc.constantFrom(null, now, new Date(now.getTime() + 1)),
    }),
    { maxLength: 6, selector: ({ id }) => id },
  )
  const shippingRules = fc.array(
    fc.record({
      id: fc.string({ minLength: 1 }),
      country: fc.constantFrom("DE", "FR"),
      currency,
      maximumWeightGrams: maybe(fc.integer({ min: 0, max: 1_000_000_000 })),
      priceMinor: amount,
      freeAboveMinor: maybe(amount),
    }),
    { maxLength: 3 },
  )
  const anyBasket = fc.record({
    customerId: fc.constantFrom(undefined, basket.customerId),
    currency,
    country: fc.constantFrom(null, "DE", "FR"),
    codes: fc.subarray(["A", "B", "C"]),
    lines,
  })
  const rules = fc.record({
    now: fc.constant(now),
    discounts,
    shippingRules,
    isShippingCharged: fc.boolean(),
    taxRates: fc.integer({ min: 0, max: 10_000 }).map((rate) => new Map([["DE", rate]])),
  })

  test("adds up, is never negative, fits its columns and is refused only if it is too large", () => {
    fc.assert(
      fc.property(anyBasket, rules, (of, known) => {
        const result = price(of, known)
        const goods = of.lines.reduce((sum, line) => sum + line.unitPriceMinor * BigInt(line.quantity), 0n)
        if (!result.ok) {
          expect(result.rejection.code).toBe("amount-too-large")
          return
        }
        const { subtotalMinor, discountMinor, shippingMinor, taxMinor, totalMinor, breakdown } = result.value
        expect(subtotalMinor).toBe(goods)
        expect(subtotalMinor + shippingMinor + taxMinor - discountMinor).toBe(totalMinor)
        expect(discountMinor <= subtotalMinor).toBe(true)
        for (const sum of [subtotalMinor, discountMinor, shippingMinor, taxMinor, totalMinor]) {
          expect(sum >= 0n && sum <= maximumAmountMinor).toBe(true)
          const { amount: text } = toMoneyBody({ amountMinor: sum, currency: of.currency })
          expect(text.split(".")[1]?.length ?? 0).toBe(fractionDigits(of.currency))
        }
        expect(breakdown.discounts.reduce((sum, given) => sum + given.amountMinor, 0n)).toBe(discountMinor)
        expect(new Set(breakdown.discounts.map(({ id }) => id)).size).toBe(breakdown.discounts.length)
      }),
      propertyRuns("any price", 2_000),
    )
  })

  test("does not depend on the order in which rules are found", () => {
    fc.assert(
      fc.property(anyBasket, rules, (of, known) => {
        const turned = {
          ...known,
          discounts: known.discounts.toReversed(),
          shippingRules: known.shippingRules.toReversed(),
        }
        expect(price(of, turned)).toEqual(price(of, known))
      }),
      propertyRuns("rules in any order", 500),
    )
  })

  test("never rises by one more discount", () => {
    fc.assert(
      fc.property(anyBasket, rules, (of, known) => {
        const [, ...fewer] = known.discounts
        const [more, less] = [price(of, known), price(of, { ...known, discounts: fewer })]
        if (more.ok && less.ok) expect(more.value.discountMinor >= less.value.discountMinor).toBe(true)
      }),
      propertyRuns("one more discount", 500),
    )
  })
})
