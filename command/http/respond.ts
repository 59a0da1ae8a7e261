// Between a route and the executor: runs the work under the request's key, and sends the answer with its headers.
import { type RouteConfig, z } from "@hono/zod-openapi"
import type { Context } from "hono"
import type { Done, Executed, Executor, Work } from "../execute/execute.ts"
import type { RejectionCode, Result } from "../vocabulary/rejection.ts"
import { problemBody, rejectionResponse } from "./http-errors.ts"
import { anyHeaders, commandProblems, header } from "./problem-answers.ts"

export const idempotencyKeyHeader = z
  .string()
  .regex(/^[\x20-\x7e]{1,255}$/, "must be 1 to 255 printable ASCII characters")
  .optional()
  .openapi({ description: "Repeating a request with its key repeats its answer and does nothing else." })

/**
 * A command's work returns this: the resource that it wrote, as an answer. Its version is the ETag. An answer that
 * speaks of a customer says of whom, so that it can be forgotten with them.
 */
export function done(
  xid: string,
  status: 200 | 201 | 202,
  resource: { version: number; customer_id?: string | null },
  location?: string,
  customerId: string | null = resource.customer_id ?? null,
): Done {
  const headers = {
    "Content-Type": "application/json",
    ETag: `"${resource.version}"`,
    ...(location === undefined ? {} : { Location: location }),
  }
  return { xid, customerId, answer: { status, headers, body: JSON.stringify(resource) } }
}

/** The same for a command that has taken its resource away: there is nothing to show. */
export function gone(xid: string): Done {
  return { xid, customerId: null, answer: { status: 204, headers: {}, body: "" } }
}

/** Runs the work for this request: once for all requests with its key, if it has one. */
export async function run(c: Context, executor: Executor, work: Work): Promise<Result<Executed>> {
  const key = keyOf(c)
  if (key === undefined) return await executor.execute(work)
  const { method, path } = c.req
  return await executor.executeKeyed({ key, method, path, body: await c.req.text() }, work)
}

export function keyOf(c: Context): string | undefined {
  return c.req.header("idempotency-key")
}

/** The response to an executed or refused command. */
export function answer(c: Context, result: Result<Executed>): Response {
  if (!result.ok) return rejectionResponse(result.rejection, c.req.path)
  const { answer, token, replayed } = result.value
  const headers = new Headers(answer.headers)
  if (token !== undefined) headers.set("Consistency-Token", token)
  if (replayed) headers.set("Idempotency-Replayed", "true")
  // An answer of 204 must not have a body, not even an empty one.
  return new Response(answer.status === 204 ? null : answer.body, { status: answer.status, headers })
}

/** Runs the work for this request and answers. Database errors are left to the app. */
export async function respond(c: Context, executor: Executor, work: Work): Promise<Response> {
  return answer(c, await run(c, executor, work))
}

/** A route's JSON body that may be left out. */
export function optionalJsonOf<Schema extends z.ZodType>(schema: Schema) {
  return { required: false, content: { "application/json": { schema } } }
}

/** A route's JSON body. */
export function jsonOf<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { "application/json": { schema } } }
}

const commandHeaders = {
  "Consistency-Token": header("Makes a read wait for this command."),
  "Idempotency-Replayed": header("Present if this repeats an answer."),
  ...anyHeaders,
}

/**
 * A command's documented answers: the resource that it wrote, and every way in which it can be refused. Named are the
 * codes that its rules and the database's constraints know; the refusals of any command are added.
 */
export function answersOf(
  status: 200 | 201,
  schema: z.ZodType,
  refusals?: readonly RejectionCode[],
): RouteConfig["responses"] {
  const headers = {
    ETag: header("The version, for If-Match."),
    ...commandHeaders,
    ...(status === 201 ? { Location: header("The resource.") } : {}),
  }
  const refused =
    refusals === undefined
      ? {
          default: {
            description: "Refused, with nothing changed.",
            content: { "application/problem+json": { schema: problemBody } },
          },
        }
      : commandProblems(refusals)
  return {
    [status]: { description: "Accepted.", headers, content: { "application/json": { schema } } },
    ...refused,
  }
}

/** The documented answers of a command that takes its resource away. */
export function goneUnless(refusals: readonly RejectionCode[]): RouteConfig["responses"] {
  return { 204: { description: "Gone.", headers: commandHeaders }, ...commandProblems(refusals) }
}
