// The one rounding rule of all pricing: a share of an amount is rounded to the minor unit, half up.

/** `amountMinor` (not negative) times `basisPoints` / 10,000. Example: 5 % of 0.10 is 0.01, 5 % of 0.09 is 0.00. */
export function shareOf(amountMinor: bigint, basisPoints: number): bigint {
  return (amountMinor * BigInt(basisPoints) + 5_000n) / 10_000n
}
