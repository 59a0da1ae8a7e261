// Puts the outcome of a request about dead letters in words.
import { z } from "zod"

export const outcomeShape = z.object({
  total: z.number(),
  done: z.number(),
  applied: z.number(),
  merged: z.number(),
  superseded: z.number(),
  discarded: z.number(),
  failed: z.number(),
  results: z.array(
    z.object({
      id: z.string(),
      outcome: z.string(),
      table: z.string(),
      key: z.array(z.string()).nullable(),
      error: z.string().optional(),
      difference: z
        .record(z.string(), z.object({ before: z.string().nullable(), after: z.string().nullable() }))
        .optional(),
    }),
  ),
})
type Outcome = z.infer<typeof outcomeShape>

export function progressLine(progress: unknown): string | null {
  const read = outcomeShape.pick({ total: true, done: true, failed: true }).safeParse(progress)
  if (!read.success) return null
  const { total, done, failed } = read.data
  return `${done} of ${total}${failed > 0 ? `, ${failed} still failing` : ""}`
}

/** A line for each dead letter, the changes of its row below it, and the counts. */
export function describeOutcome(outcome: Outcome): string[] {
  const lines = outcome.results.flatMap(({ id, table, key, error, difference, ...result }) => [
    `${id}  ${table}(${key?.join(", ") ?? "?"})  ${result.outcome}${error === undefined ? "" : `: ${error}`}`,
    ...Object.entries(difference ?? {}).map(
      ([name, { before, after }]) => `      ${name}: ${before ?? "-"} -> ${after ?? "-"}`,
    ),
  ])
  const counts = (["applied", "merged", "superseded", "discarded", "failed"] as const)
    .filter((name) => outcome[name] > 0)
    .map((name) => `${outcome[name]} ${name}`)
  const unlisted = outcome.done - outcome.results.length
  if (unlisted > 0) lines.push(`... and ${unlisted} more`)
  return [...lines, counts.length > 0 ? counts.join(", ") : "nothing to do"]
}
