// The refusals in /openapi.json: for every status that a route can answer with, the problem types behind it. Statuses
// come from the one table of codes, so a route names codes and nothing else.
import { type RouteConfig, z } from "@hono/zod-openapi"
import { type ProblemCode, problemBody, problemType, statusOf } from "./http-errors.ts"

type Answers = RouteConfig["responses"]

export const header = (description: string) => ({ schema: { type: "string" as const }, description })

/** The headers of every answer. */
export const anyHeaders = { "X-Request-Id": header("Names the request in the log.") }

/** Problems of any request, whatever its route. */
const anyRequest: readonly ProblemCode[] = ["body-too-large", "request-aborted", "internal-error"]

/** Problems of any request that is validated and needs the database. */
const anyQuestion: readonly ProblemCode[] = [
  "malformed-json",
  "unsupported-media-type",
  "invalid-request",
  "database-unavailable",
]

/** Problems of any command: it may carry a key, and it commits. */
const anyCommand: readonly ProblemCode[] = ["idempotency-key-reused", "outcome-unknown"]

/** How a command is refused: by its rules, and as any command may be. */
export function commandProblems(refusals: readonly ProblemCode[]): Answers {
  return problemAnswers([...refusals, ...anyCommand, ...anyQuestion, ...anyRequest])
}

/** How a route with a body that writes nothing is refused. */
export function questionProblems(refusals: readonly ProblemCode[]): Answers {
  return problemAnswers([...refusals, ...anyQuestion, ...anyRequest])
}

/** How a route is refused that takes nothing and handles its own faults. */
export function plainProblems(): Answers {
  return problemAnswers(anyRequest)
}

/** One answer per status, naming the problem types that it stands for there. */
function problemAnswers(codes: readonly ProblemCode[]): Answers {
  const byStatus = new Map<number, ProblemCode[]>()
  for (const code of new Set(codes)) {
    byStatus.set(statusOf(code), [...(byStatus.get(statusOf(code)) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, same]) => [
      status,
      {
        description: same.join(", "),
        headers: headersOf(same),
        content: {
          "application/problem+json": {
            schema: problemBody.extend({ type: z.enum(same.map(problemType)), status: z.literal(status) }),
          },
        },
      },
    ]),
  )
}

function headersOf(codes: readonly ProblemCode[]) {
  return {
    ...anyHeaders,
    ...(codes.some((code) => statusOf(code) === 503) ? { "Retry-After": header("Seconds.") } : {}),
    ...(codes.includes("unsupported-media-type") ? { Accept: header("The media type to send.") } : {}),
  }
}
