// What ids, moments and limits look like in a request, and how a route says what it takes and answers.
// A parameter that no route knows is refused: a misspelt filter must not look like an answer without it.
import { type Hook, type RouteConfig, z } from "@hono/zod-openapi"
import type { Env } from "hono"
import { type ProblemCode, ReadProblem, type RequestError } from "./problem.ts"
import { anyHeaders, header, readProblems, snapshotHeaders } from "./problem-answers.ts"

const mostErrors = 20

/** Ids are text; what Postgres cannot store or no client can mean is refused. */
export const idText = z
  .string()
  .min(1)
  .max(255)
  .refine((value) => !/\p{Cc}|\p{Surrogate}/u.test(value), "must not contain control characters")

export const idParams = z.object({ id: idText.openapi({ param: { name: "id", in: "path" } }) })

/** For routes without query parameters. */
export const noQuery = z.strictObject({})

/** Postgres takes offsets up to 15:59:59, and no year 0. */
const representable = (value: string): boolean =>
  value.length <= 40 && !value.startsWith("0000") && !/[+-](?:1[6-9]|2\d):\d\d$/.test(value)

/** A date (midnight UTC) or a date and time with its offset; becomes a date and time. */
export const moment = z
  .union([z.iso.date().transform((date) => `${date}T00:00:00Z`), z.iso.datetime({ offset: true })], {
    error: "must be a date (2025-01-31) or a date and time with its offset (2025-01-31T12:00:00Z)",
  })
  .refine(representable, "is out of range")
  .openapi({ type: "string", example: "2025-01-31" })

export const currencyCode = z.string().regex(/^[A-Z]{3}$/, "must be an ISO 4217 code such as USD")

/** Turns what zod found wrong into a problem that names each place. */
export const refuseInvalid: Hook<unknown, Env, string, undefined> = (result) => {
  if (result.success) return undefined
  const errors = result.error.issues.flatMap((issue): RequestError[] => {
    const names = issue.code === "unrecognized_keys" ? issue.keys : [issue.path.map(String).join(".")]
    const detail = issue.code === "unrecognized_keys" ? "is not a known parameter" : issue.message
    return names.map((name) => ({ parameter: name.slice(0, 100), detail }))
  })
  throw new ReadProblem("invalid-request", "Some parts of the request are not acceptable.", {
    errors: errors.slice(0, mostErrors),
  })
}

const answerHeaders = {
  ...anyHeaders,
  ...snapshotHeaders,
  ETag: header("Of the body; an order's begins with its version."),
  "Cache-Control": header("Always `no-cache, private`."),
  "Cache-Status": header("RFC 9211."),
  Link: header('Of a page that is not the last: the next one, as rel="next".'),
  "Read-Stale": header("`true` when the demand is not met and a stale answer was asked for."),
  "Preference-Applied": header("`handling=lenient`, along with Read-Stale."),
}

/** What readers may demand; judged in query/http/demand.ts, so any text passes here. */
export const demandHeaders = z.object({
  "consistency-token": z
    .string()
    .optional()
    .openapi({ description: "From a command's answer: show that command." }),
  prefer: z.string().optional().openapi({ description: "wait=<seconds>, handling=lenient (RFC 7240)." }),
  "cache-control": z.string().optional().openapi({ description: "max-age=<seconds>: at most this old." }),
  "if-none-match": z.string().optional(),
})

/**
 * A route's documented answers: the read model, not modified, or a problem. Every read can be refused in some ways;
 * `problems` are those of this question alone, as that there is nothing with its id.
 */
export function answersOf(
  schema: z.ZodType,
  problems: readonly ProblemCode[] = [],
): RouteConfig["responses"] {
  return {
    200: {
      description: "As of Read-Position.",
      headers: answerHeaders,
      content: { "application/json": { schema } },
    },
    304: { description: "The client's copy is the answer.", headers: answerHeaders },
    ...readProblems(problems),
  }
}
