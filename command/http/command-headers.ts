// The headers of commands. Every command may carry an idempotency key, under which it is done once. A command that
// changes an existing resource may name in `If-Match` the versions that it is willing to change.
import { z } from "@hono/zod-openapi"
import { ifMatchHeader } from "./if-match.ts"
import { idempotencyKeyHeader } from "./respond.ts"

export const creationHeaders = z.object({ "idempotency-key": idempotencyKeyHeader })
export const changeHeaders = z.object({ "idempotency-key": idempotencyKeyHeader, "if-match": ifMatchHeader })
