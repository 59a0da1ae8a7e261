// The headers of commands: every one may carry a key under which it is done once, and one that changes something that is
// there may name the versions it is willing to change.
import { z } from "@hono/zod-openapi"
import { ifMatchHeader } from "./if-match.ts"
import { idempotencyKeyHeader } from "./respond.ts"

export const creationHeaders = z.object({ "idempotency-key": idempotencyKeyHeader })
export const changeHeaders = z.object({ "idempotency-key": idempotencyKeyHeader, "if-match": ifMatchHeader })
