// Of the write side two folders know less than the ordered list of rooms lets them: the aggregate and the provider's port.
import { expect, test } from "vitest"
import { isUnder, readSources } from "../architecture/sources.ts"

const sources = readSources()

/** `file -> import` of every import that a folder's files have and the test does not allow. */
const forbidden = (folder: string, isAllowed: (name: string) => boolean): string[] =>
  sources
    .filter(({ path }) => isUnder(folder)(path))
    .flatMap(({ path, imports }) =>
      imports.filter((name) => !isAllowed(name)).map((name) => `${path} -> ${name}`),
    )

test("the aggregate is pure: it imports no package, and of other folders only words and rules", () => {
  const rules = [
    "command/pricing/basket.ts",
    "command/pricing/price.ts",
    "command/products/product.ts",
    "command/payments/provider.ts",
  ]
  const isKnown = isUnder("command/vocabulary", "command/orders/aggregate")
  expect(forbidden("command/orders/aggregate", (name) => isKnown(name) || rules.includes(name))).toEqual([])
})

test("the provider's port knows no order: it is given the way to record an answer", () => {
  expect(forbidden("command/payments", (name) => !isUnder("command/orders")(name))).toEqual([])
})
