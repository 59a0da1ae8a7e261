// What executing a request about dead letters needs of the projector, and the waiting for its turn.
import { setTimeout as sleep } from "node:timers/promises"
import type { ApplyTarget } from "../apply/apply.ts"
import type { Decoder } from "../decode/decode.ts"
import type { SourceTable } from "../projection/projection.ts"

export type DeadLetterWork = {
  target: ApplyTarget
  tables: readonly SourceTable[]
  decoder: Decoder
  /** Does the work between two applies; false when it could not be done now. */
  between: (work: () => Promise<void>) => Promise<boolean>
  signal: AbortSignal
}

/** Does the work when it is its turn. @throws what the work throws, or the signal's reason. */
export async function untilDone(deps: DeadLetterWork, work: () => Promise<void>): Promise<void> {
  while (!(await deps.between(work))) {
    deps.signal.throwIfAborted()
    await sleep(100)
  }
}
