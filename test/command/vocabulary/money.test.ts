import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { formatAmount, fractionDigits, parseAmount } from "../../../command/vocabulary/money.ts"

describe("amounts", () => {
  test.each([
    [2999n, "USD", "29.99"],
    [0n, "USD", "0.00"],
    [5n, "USD", "0.05"],
    [-5n, "USD", "-0.05"],
    [2999n, "JPY", "2999"],
    [2999n, "KWD", "2.999"],
    [7n, "KWD", "0.007"],
    [9_223_372_036_854_775_807n, "USD", "92233720368547758.07"],
  ])("%s minor units of %s are written %s", (amountMinor, currency, text) => {
    expect(formatAmount({ amountMinor, currency })).toBe(text)
  })

  test.each([
    ["29.99", "USD", 2999n],
    ["29.990", "USD", 2999n],
    ["30", "USD", 3000n],
    ["29.999", "USD", undefined],
    ["1.5", "JPY", undefined],
    ["1.0", "JPY", 1n],
    ["2.999", "KWD", 2999n],
    ["90071992547409.93", "USD", 9_007_199_254_740_993n],
    ["", "USD", undefined],
    ["-1", "USD", undefined],
    ["1e3", "USD", undefined],
    [".5", "USD", undefined],
    ["NaN", "USD", undefined],
  ])("%s of %s is read as %s minor units, never rounded", (text, currency, amountMinor) => {
    expect(parseAmount(text, currency)).toBe(amountMinor)
  })

  test("come back from their text unchanged in every currency", () => {
    fc.assert(
      fc.property(
        fc.bigInt(0n, 2n ** 63n - 1n),
        fc.constantFrom("USD", "JPY", "KWD", "CLF", "EUR"),
        (amountMinor, currency) => {
          const text = formatAmount({ amountMinor, currency })
          expect(text.split(".")[1]?.length ?? 0).toBe(fractionDigits(currency))
          expect(parseAmount(text, currency)).toBe(amountMinor)
        },
      ),
    )
  })
})
