// The one table from refusals to HTTP: a code without a status and a title does not compile. Problems are RFC 9457
// documents; `type` is stable, and the documents have the same shape as the command service's problems.
import { z } from "@hono/zod-openapi"

export type ProblemCode =
  | "invalid-request"
  | "malformed-token"
  | "order-not-found"
  | "customer-not-found"
  | "product-not-found"
  | "stock-not-found"
  | "route-not-found"
  | "method-not-allowed"
  | "token-of-another-epoch"
  | "not-ready"
  | "unknown-projection-version"
  | "read-not-current"
  | "too-many-waiting"
  | "database-unavailable"
  | "internal-error"

const problems = {
  "invalid-request": [400, "Invalid request"],
  "malformed-token": [400, "Malformed consistency token"],
  "order-not-found": [404, "Order not found"],
  "customer-not-found": [404, "Customer not found"],
  "product-not-found": [404, "Product not found"],
  "stock-not-found": [404, "Stock not found"],
  "route-not-found": [404, "No such resource"],
  "method-not-allowed": [405, "Method not allowed"],
  "token-of-another-epoch": [409, "Token of another epoch"],
  "not-ready": [503, "No read models yet"],
  "unknown-projection-version": [503, "Unknown projection version"],
  "read-not-current": [503, "Read not current"],
  "too-many-waiting": [503, "Too many waiting reads"],
  "database-unavailable": [503, "Database unavailable"],
  "internal-error": [500, "Internal error"],
} as const satisfies Record<ProblemCode, readonly [status: number, title: string]>

/** The stable name of a problem, as `type` shows it. */
export const problemType = (code: ProblemCode): string => `urn:lockstep:problem:${code}`

export const statusOf = (code: ProblemCode): number => problems[code][0]

/** One fault of a request, found by the name of a header or parameter. */
export type RequestError = { header?: string; parameter?: string; detail: string }

export const problemBody = z
  .object({
    type: z.string().openapi({ example: "urn:lockstep:problem:read-not-current" }),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string(),
    errors: z
      .array(
        z.object({ header: z.string().optional(), parameter: z.string().optional(), detail: z.string() }),
      )
      .optional(),
  })
  .loose()
  .openapi("Problem")

/** A request that gets no answer; thrown anywhere below a route, answered by the app. */
export class ReadProblem extends Error {
  readonly code: ProblemCode
  readonly errors: readonly RequestError[]
  readonly headers: Readonly<Record<string, string>>
  constructor(
    code: ProblemCode,
    detail: string,
    more: { errors?: readonly RequestError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(detail)
    this.code = code
    this.errors = more.errors ?? []
    this.headers = more.headers ?? {}
  }
}

/** The problem document; `instance` is the path of the request. */
export function problemResponse({ code, message, errors, headers }: ReadProblem, instance: string): Response {
  const [status, title] = problems[code]
  const body = {
    type: problemType(code),
    title,
    status,
    detail: message,
    instance,
    ...(errors.length > 0 ? { errors } : {}),
  }
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      ...(status === 503 ? { "Retry-After": "1" } : {}),
      "Cache-Control": "no-store",
      ...headers,
      "Content-Type": "application/problem+json",
    },
  })
}
