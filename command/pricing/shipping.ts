// The shipping price of a basket, pure: the price of the cheapest rule for the basket's country and currency that
// carries its weight. From a rule's free amount on the rule's price is 0. Example: with 4.90, free above 50.00, goods
// of 49.99 ship for 4.90 and goods of 50.00 for nothing.
import type { Basket } from "./basket.ts"

export type ShippingRule = {
  id: string
  country: string
  currency: string
  /** Null: any weight. */
  maximumWeightGrams: number | null
  priceMinor: bigint
  /** From this amount of goods less discount on shipping is free; null: never. */
  freeAboveMinor: bigint | null
}

export function weightOf({ lines }: Basket): bigint {
  return lines.reduce((sum, { quantity, weightGrams }) => sum + BigInt(quantity) * BigInt(weightGrams), 0n)
}

/** The rule with the lowest price for the basket, at equal prices the lower id; undefined if no rule fits. */
export function chooseShipping(
  rules: readonly ShippingRule[],
  basket: Basket,
  goodsMinor: bigint,
): { rule: string; priceMinor: bigint } | undefined {
  const weight = weightOf(basket)
  let best: { rule: string; priceMinor: bigint } | undefined
  for (const rule of rules) {
    const { maximumWeightGrams, freeAboveMinor } = rule
    if (rule.country !== basket.country || rule.currency !== basket.currency) continue
    if (maximumWeightGrams !== null && weight > BigInt(maximumWeightGrams)) continue
    const isFree = freeAboveMinor !== null && goodsMinor >= freeAboveMinor
    const offer = { rule: rule.id, priceMinor: isFree ? 0n : rule.priceMinor }
    if (!best || offer.priceMinor < best.priceMinor) best = offer
    else if (offer.priceMinor === best.priceMinor && offer.rule < best.rule) best = offer
  }
  return best
}
