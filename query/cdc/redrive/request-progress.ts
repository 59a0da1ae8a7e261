// The progress of a request about dead letters: counts and results that the request's row shows during execution.
import { z } from "zod"
import type { Redriven } from "./redrive.ts"

export type RequestProgress = {
  total: number
  done: number
  applied: number
  merged: number
  superseded: number
  discarded: number
  failed: number
  results: DeadLetterResult[]
}
export type DeadLetterResult = {
  id: string
  outcome: Redriven["outcome"] | "failed" | "discarded"
  table: string
  key: readonly string[] | null
  error?: string
  difference?: Redriven["difference"]
}

/** Further results are counted and not listed. */
const mostResults = 500

/** Counts a result, and lists it while fewer than `mostResults` are listed. */
export function count(progress: RequestProgress, result: DeadLetterResult): void {
  progress.done++
  const { outcome } = result
  if (outcome === "no-change") progress.superseded++
  else progress[outcome]++
  if (progress.results.length < mostResults) progress.results.push(result)
}

/** The same result without values. */
export function masked(result: DeadLetterResult): DeadLetterResult {
  const hide = (value: string | null): string | null => (value === null ? null : "***")
  const difference = Object.fromEntries(
    Object.entries(result.difference ?? {}).map(([name, { before, after }]) => [
      name,
      { before: hide(before), after: hide(after) },
    ]),
  )
  return { ...result, difference }
}

const startShape = z.looseObject({
  done: z.number().default(0),
  applied: z.number().default(0),
  merged: z.number().default(0),
  superseded: z.number().default(0),
  discarded: z.number().default(0),
  failed: z.number().default(0),
})

/** The counts go on where an interrupted run stopped; the results of that run are not repeated. */
export const startOf = (stored: unknown): RequestProgress => ({
  total: 0,
  ...startShape.parse(stored ?? {}),
  results: [],
})
