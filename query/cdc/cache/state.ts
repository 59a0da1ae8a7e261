// The states between the projector and the cache's lease, for cache-fence.ts:
//   down -> raised: `fence` took the table over; the caller raises the epoch in its transaction
//   raised -> serving: `announce` after the commit emptied the table and gave the first lease
//   serving -> lapsing: a script failed or was late, or the connection broke; the last lease may still be alive
//   lapsing -> down: it is over. serving -> down at once when Redis itself says that no lease of ours is left
//   succeeding -> raised or down: as from lapsing, but only leases of the projector before this one may be alive, and
//   whoever takes the table over ends those at once
// - Another projector that takes over owns the table from its first `fence` on; scripts of the former owner are
//   refused from then on. If it cannot reach Redis it waits for as long as the former one may still take itself for
//   the projector (`succeed`), for `heldForMs` ends that one's lease then.
// - A process that becomes the projector again begins a new epoch: who projected meanwhile may have done so without
//   Redis, and answers of before may lie there unfenced.
// - What is trusted: clocks run evenly. Redis' clock set back is noticed at the next renewal (a quarter second).
import { setTimeout as sleep } from "node:timers/promises"
import type { Served } from "./fence-table.ts"
import type { RedisSession } from "./redis-session.ts"

export type CacheState =
  | { name: "down"; retryAt: number }
  | { name: "raised"; session: RedisSession }
  | { name: "serving"; session: RedisSession; first: Served; since: number }
  | { name: "lapsing"; until: number; retryAt: number }
  | { name: "succeeding"; until: number; retryAt: number }

/** How long a lease lasts without being renewed. */
export const leaseMs = 1_000
/** For the moment between taking a command and carrying it out. */
const marginMs = 100

/** When this process has become the projector, and the one before it may give leases for `formerLeftMs` yet. */
export const succession = (formerLeftMs: number): CacheState => ({
  name: "succeeding",
  until: performance.now() + formerLeftMs + leaseMs + marginMs,
  retryAt: 0,
})

/** By `performance.now()`. */
export const sleepUntil = async (at: number): Promise<void> => {
  const leftMs = at - performance.now()
  if (leftMs > 0) await sleep(leftMs)
}

/** Milliseconds until the table is taken over again after so many failures in a row. */
export const delayOf = (failures: number): number => Math.min(30_000, 1_000 * 2 ** failures)
