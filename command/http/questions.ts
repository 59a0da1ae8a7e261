// Routes that ask and write nothing: their answers are shown and documented without the headers of commands.
import type { RouteConfig, z } from "@hono/zod-openapi"
import type { Context } from "hono"
import { type Refused, type RejectionCode, refuse } from "../vocabulary/rejection.ts"
import { rejectionResponse } from "./http-errors.ts"
import { anyHeaders, header, questionProblems } from "./problem-answers.ts"

/** Answers with a resource as it is, or that it is not there. */
export function showRow(
  c: Context,
  resource: { version: number } | undefined,
  missing: RejectionCode,
): Response {
  if (!resource) return refuseQuestion(c, refuse(missing, "There is no such resource."))
  return Response.json(resource, { headers: { ETag: `"${resource.version}"` } })
}

/** Answers a question that was refused. */
export function refuseQuestion(c: Context, { rejection }: Refused): Response {
  return rejectionResponse(rejection, c.req.path)
}

/** The documented answers of `showRow`. */
export function rowAnswersOf(
  description: string,
  schema: z.ZodType,
  missing: RejectionCode,
): RouteConfig["responses"] {
  const headers = { ...anyHeaders, ETag: header("The version, for If-Match.") }
  return {
    200: { description, headers, content: { "application/json": { schema } } },
    ...questionProblems([missing]),
  }
}

/** A question's documented answers; it writes nothing, so there is neither token nor key. */
export function questionAnswersOf(
  description: string,
  schema: z.ZodType,
  refusals: readonly RejectionCode[],
): RouteConfig["responses"] {
  return {
    200: { description, headers: anyHeaders, content: { "application/json": { schema } } },
    ...questionProblems(refusals),
  }
}
