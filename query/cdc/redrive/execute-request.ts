// Executes what an operator asked about dead letters, redrive or discard, and tells how it ended, on the request and in
// the record of what operators did. A request that cannot be executed fails, and the projector goes on. A request that a
// crash interrupts goes on with the dead letters that it has not tried.
import type { Kysely } from "kysely"
import type { Logger } from "pino"
import { z } from "zod"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { fenceCache } from "../apply/fence-cache.ts"
import {
  chooseDeadLetters,
  filterShape,
  readUnit,
  settleDeadLetter,
} from "../dead-letters/stored-dead-letter.ts"
import { type LeaseRef, leaseOf, underLease } from "../lease/lease.ts"
import { lockProgress } from "../lease/progress.ts"
import { noteOperatorAction, type OpenRequest, updateRequest } from "../lease/requests.ts"
import { classifyError } from "../vocabulary/errors.ts"
import { type DeadLetterWork, executeRedrive, untilDone } from "./redrive-request.ts"
import { count, type RequestProgress, startOf } from "./request-progress.ts"

const discardArguments = z.object({ filter: filterShape })

/** @throws EngineError (retry) when a dependency is down or the lease is lost: the request stays open. */
export async function executeRequest(
  deps: { db: Kysely<QueryDatabase>; lease: LeaseRef; log: Logger },
  work: DeadLetterWork,
  request: OpenRequest,
): Promise<void> {
  const { db, lease, log } = deps
  log.info({ request: String(request.id), kind: request.kind }, "working on a request")
  await updateRequest(db, lease, request.id, { state: "running" })
  try {
    const progress = startOf(request.progress)
    if (request.kind === "discard") await discard(work, request, progress)
    else await executeRedrive(work, request, progress)
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

async function discard(deps: DeadLetterWork, request: OpenRequest, progress: RequestProgress): Promise<void> {
  const { target } = deps
  const { filter } = discardArguments.parse(request.arguments)
  const ids = await chooseDeadLetters(target.db, target.ref, filter, null)
  progress.total = progress.done + ids.length
  for (const id of ids) {
    await untilDone(deps, () =>
      target.db.transaction().execute(async (trx) => {
        const position = await lockProgress(trx, target.ref, target.leaseEpoch)
        const [entry] = await readUnit(trx, target.ref, id)
        if (!entry || !(await settleDeadLetter(trx, id, "discarded", request.id))) return
        await fenceCache(trx, target, position, new Set())
        count(progress, { id: String(id), outcome: "discarded", table: entry.table, key: entry.key })
      }),
    )
    await updateRequest(target.db, leaseOf(target), request.id, { progress })
  }
}
