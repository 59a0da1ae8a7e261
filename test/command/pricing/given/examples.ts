// Baskets and price rules for the tests of pricing.

import type { Basket } from "../../../../command/pricing/basket.ts"
import type { Discount } from "../../../../command/pricing/discount.ts"
import type { PriceRules } from "../../../../command/pricing/price.ts"
import type { ShippingRule } from "../../../../command/pricing/shipping.ts"
import { customerId, productId } from "../../../../command/vocabulary/ids.ts"

export const now = new Date("2026-06-01T12:00:00Z")
export const ada = customerId.parse("ada")
export const [keyboard, lamp] = [productId.parse("keyboard"), productId.parse("lamp")]

/** Two keyboards at 30.00 and a lamp at 40.00: 100.00, 3.2 kg, for Ada. */
export const basket: Basket = {
  customerId: ada,
  currency: "USD",
  country: null,
  codes: [],
  lines: [
    { productId: keyboard, quantity: 2, unitPriceMinor: 3_000n, weightGrams: 900 },
    { productId: lamp, quantity: 1, unitPriceMinor: 4_000n, weightGrams: 1_400 },
  ],
}

/** Ten percent off everything for everybody, for ever. */
export const tenPercent: Discount = {
  id: "ten-percent",
  code: null,
  customerId: null,
  productId: null,
  off: { kind: "percent", basisPoints: 1_000 },
  currency: null,
  minimumOrderMinor: 0n,
  usageLimit: null,
  timesUsed: 0,
  stackable: false,
  active: true,
  validFrom: new Date(0),
  validUntil: null,
}

export const fiveOff: Discount = {
  ...tenPercent,
  id: "five-off",
  off: { kind: "fixed", amountMinor: 500n },
  currency: "USD",
}

export const parcel: ShippingRule = {
  id: "parcel",
  country: "DE",
  currency: "USD",
  maximumWeightGrams: 5_000,
  priceMinor: 490n,
  freeAboveMinor: null,
}

export const noRules: PriceRules = {
  now,
  discounts: [],
  shippingRules: [],
  isShippingCharged: false,
  taxRates: new Map([["DE", 1_900]]),
}
