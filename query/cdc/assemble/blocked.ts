// Part of step 3 (assemble): a change that cannot be applied and must not be passed over stops the flow before its
// transaction. The reason was found when it was decoded; here it gets its place in history.
import type { Origin } from "../vocabulary/change.ts"
import { EngineError } from "../vocabulary/errors.ts"
import { formatLsn, type Lsn } from "../vocabulary/lsn.ts"

export type Blocked = { error: EngineError; origin: Origin }

/** The reason, with the transaction and the first record that it holds against. */
export function blockedTransaction(
  { error, origin }: Blocked,
  { xid, commitLsn }: { xid: string; commitLsn: Lsn },
): EngineError {
  return new EngineError(error.code, error.message, {
    ...(error.nextStep === null ? {} : { nextStep: error.nextStep }),
    detail: {
      topic: origin.topic,
      partition: origin.partition,
      offset: String(origin.offset),
      ...error.detail,
      xid,
      commitLsn: formatLsn(commitLsn),
    },
    cause: error.cause,
  })
}
