// What sending a basket costs, pure: the cheapest rule for its country and currency that carries its weight,
// nothing from the rule's free amount on.
import type { Basket } from "./basket.ts"

export type ShippingRule = {
  id: string
  country: string
  currency: string
  /** Null: any weight. */
  maximumWeightGrams: number | null
  priceMinor: bigint
  /** Of goods less discount; null: never free. */
  freeAboveMinor: bigint | null
}

export function weightOf({ lines }: Basket): bigint {
  return lines.reduce((sum, { quantity, weightGrams }) => sum + BigInt(quantity) * BigInt(weightGrams), 0n)
}

/** The rule that sends the basket for the least, and its price; undefined if none fits. */
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
