// Executes what operators ask about dead letters: redrive and discard. A request that a crash interrupts goes on with
// the entries that it has not tried.
import { z } from "zod"
import { fenceCache } from "../apply/apply.ts"
import { chooseParked, filterShape, readUnit, settleEntry } from "../dead-letters/parked-entries.ts"
import { leaseOf } from "../lease/lease.ts"
import { lockProgress } from "../lease/progress.ts"
import { type OpenRequest, updateRequest } from "../lease/requests.ts"
import { type DeadLetterWork, untilDone } from "./dead-letter-work.ts"
import { executeRedrive } from "./redrive-request.ts"
import { count, type RequestProgress, startOf } from "./request-progress.ts"

const discardArguments = z.object({ filter: filterShape })

/** @throws EngineError (retry) when a dependency is down; the request stays open and goes on then. */
export async function executeDeadLetterRequest(
  deps: DeadLetterWork,
  request: OpenRequest,
): Promise<RequestProgress> {
  const progress = startOf(request.progress)
  if (request.kind === "discard") await discard(deps, request, progress)
  else await executeRedrive(deps, request, progress)
  return progress
}

async function discard(deps: DeadLetterWork, request: OpenRequest, progress: RequestProgress): Promise<void> {
  const { target } = deps
  const { filter } = discardArguments.parse(request.arguments)
  const ids = await chooseParked(target.db, target.ref, filter, null)
  progress.total = progress.done + ids.length
  for (const id of ids) {
    await untilDone(deps, () =>
      target.db.transaction().execute(async (trx) => {
        const position = await lockProgress(trx, target.ref, target.leaseEpoch)
        const [entry] = await readUnit(trx, target.ref, id)
        if (!entry || !(await settleEntry(trx, id, "discarded", request.id))) return
        await fenceCache(trx, target, position, new Set())
        count(progress, { id: String(id), outcome: "discarded", table: entry.table, key: entry.key })
      }),
    )
    await updateRequest(target.db, leaseOf(target), request.id, { progress })
  }
}
