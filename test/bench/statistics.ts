// Order statistics of samples. A percentile is a sample that was measured, never a value between two.

/** The smallest sample that at least `share` (0 to 1) of all samples do not exceed; NaN when there are none. */
export const percentile = (samples: readonly number[], share: number): number => {
  const sorted = [...samples].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => percentile(samples, 0.5)
