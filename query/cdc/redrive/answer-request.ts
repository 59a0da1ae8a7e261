// Does what an operator asked about dead letters and tells how it ended, on the request and in the record of what
// operators did. What cannot be done ends the request, not the projector.
import type { Kysely } from "kysely"
import type { Logger } from "pino"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { type LeaseRef, underLease } from "../lease/lease.ts"
import { noteOperatorAction } from "../lease/operator-actions.ts"
import { type OpenRequest, updateRequest } from "../lease/requests.ts"
import { classifyError } from "../vocabulary/errors.ts"
import { executeDeadLetterRequest } from "./dead-letter-requests.ts"
import type { DeadLetterWork } from "./dead-letter-work.ts"

/** @throws EngineError (retry) when a dependency is down or the lease is lost: the request stays open. */
export async function answerRequest(
  deps: { db: Kysely<QueryDatabase>; lease: LeaseRef; log: Logger },
  work: DeadLetterWork,
  request: OpenRequest,
): Promise<void> {
  const { db, lease, log } = deps
  log.info({ request: String(request.id), kind: request.kind }, "working on a request")
  await updateRequest(db, lease, request.id, { state: "running" })
  try {
    const progress = await executeDeadLetterRequest(work, request)
    const { results: _, ...counts } = progress
    await underLease(db, lease, (trx) =>
      noteOperatorAction(trx, {
        source: lease.source,
        actor: request.requestedBy ?? "unknown",
        action: request.kind,
        detail: { request: String(request.id), asked: request.arguments, ...counts },
      }),
    )
    await updateRequest(db, lease, request.id, { state: "done", progress })
  } catch (thrown) {
    const error = classifyError(thrown)
    const isTemporary = error.code === "dependency-down" || error.code === "apply-conflict"
    if (work.signal.aborted || isTemporary) throw thrown
    log.error({ err: error, request: String(request.id) }, "a request has failed")
    await updateRequest(db, lease, request.id, { state: "failed", error: error.message })
  }
}
