// The form of ids, moments and limits in a request, and how a route declares its parameters and its answers.
// A route refuses an unknown parameter: a misspelt filter must not get an answer as if the filter were absent.
import { type Hook, type RouteConfig, z } from "@hono/zod-openapi"
import type { Env } from "hono"
import { type ProblemCode, ReadProblem, type RequestError } from "./problem.ts"
import { anyHeaders, header, readProblems, snapshotHeaders } from "./problem-answers.ts"

const mostErrors = 20

/** Ids are text. An id that Postgres cannot store or that no client can mean is refused. */
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

/** Turns the faults that zod found into a problem that names each faulty parameter. */
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
  ETag: header("Entity tag of the body; an order's tag begins with the order's version."),
  "Cache-Control": header("Always `no-cache, private`."),
  "Cache-Status": header("How the cache was used (RFC 9211)."),
  Link: header('The next page, as rel="next"; absent on the last page.'),
  "Read-Stale": header(
    "`true` when the answer does not meet the demand and the request takes a stale answer.",
  ),
  "Preference-Applied": header("`handling=lenient`, along with Read-Stale."),
}

/** The headers by which readers demand freshness. query/http/demand.ts judges them, so any text passes here. */
export const demandHeaders = z.object({
  "consistency-token": z
    .string()
    .optional()
    .openapi({ description: "The token of a command's answer: this answer shows that command." }),
  prefer: z.string().optional().openapi({ description: "wait=<seconds>, handling=lenient (RFC 7240)." }),
  "cache-control": z
    .string()
    .optional()
    .openapi({ description: "max-age=<seconds>: the answer is at most this old." }),
  "if-none-match": z.string().optional(),
})

/**
 * A route's documented answers: the read model, not modified, or a problem. Some problems can meet every read;
 * `problems` are the codes of this route alone, such as `order-not-found`.
 */
export function answersOf(
  schema: z.ZodType,
  problems: readonly ProblemCode[] = [],
): RouteConfig["responses"] {
  return {
    200: {
      description: "The read model as of Read-Position.",
      headers: answerHeaders,
      content: { "application/json": { schema } },
    },
    304: { description: "The client's copy is the answer.", headers: answerHeaders },
    ...readProblems(problems),
  }
}
