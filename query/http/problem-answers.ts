// The problem answers in /openapi.json: for every status that a route can answer with, the problem types behind the
// status. Statuses come from the one table of codes, so a route names codes and nothing else.
import { type RouteConfig, z } from "@hono/zod-openapi"
import { type ProblemCode, problemBody, problemType, statusOf } from "./problem.ts"

type Answers = RouteConfig["responses"]

/** The problems that any read of the read models can meet. */
const anyRead: readonly ProblemCode[] = [
  "invalid-request",
  "malformed-token",
  "token-of-another-epoch",
  "not-ready",
  "unknown-projection-version",
  "read-not-current",
  "too-many-waiting",
  "database-unavailable",
]

export const header = (description: string) => ({ schema: { type: "string" as const }, description })

/** The headers of every answer. */
export const anyHeaders = { "X-Request-Id": header("Names the request in the log.") }

/** The headers of an answer that holds for its moment only. */
export const momentaryHeaders = { ...anyHeaders, "Cache-Control": header("Always `no-store`.") }

/** The headers that name the snapshot from which an answer or a refusal comes. */
export const snapshotHeaders = {
  "Read-Position": header("The commit LSN up to which the answer shows everything, as Postgres writes it."),
  "Read-Incomplete": header(
    "How many dead letters hold row changes that this answer would show; absent when the answer is whole.",
  ),
  "Read-Age": header("Seconds since the source's clock at Read-Position, or `unknown`."),
  "Read-Generation": header("The generation (complete set of read models) that answered."),
  "Read-Epoch": header("The epoch (history of the source) that Read-Position belongs to."),
}

/** The problem answers of a read of the read models; `more` are the codes of this route alone. */
export function readProblems(more: readonly ProblemCode[]): Answers {
  return problemAnswers([...more, ...anyRead, "internal-error"], snapshotHeaders)
}

/** The problem answers of a route that reads no read models. */
export function plainProblems(more: readonly ProblemCode[] = []): Answers {
  return problemAnswers([...more, "internal-error"], {})
}

/** One answer per status, which names the problem types that have this status. */
function problemAnswers(
  codes: readonly ProblemCode[],
  headers: Record<string, ReturnType<typeof header>>,
): Answers {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of new Set(codes)) {
    byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.join(", "),
        headers: {
          ...(status === 404 || status === 503 ? headers : {}),
          ...(status === 503 ? { "Retry-After": header("Seconds to wait before the next try.") } : {}),
          ...momentaryHeaders,
        },
        content: {
          "application/problem+json": {
            schema: problemBody.extend({ type: z.enum(same.map(problemType)), status: z.literal(status) }),
          },
        },
      },
    ]),
  )
}
