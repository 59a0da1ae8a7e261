// The states between the projector and the cache's lease, for fence.ts:
//   down -> raised: `fence` took the table over; the caller raises the epoch in its transaction
//   raised -> serving: `announce` after the commit emptied the table and gave the first lease
//   serving -> lapsing: a script failed or was late, or the connection broke; the last lease may still be alive
//   lapsing -> down: the last lease is over
//   serving -> down at once when Redis itself says that no lease of ours is left
//   succeeding -> raised or down: as from lapsing, but only leases of the former projector may be alive, and taking the
//   table over ends these at once
// - A new projector owns the table from its first `fence` on; scripts of the former owner are refused from then on. If
//   the new projector cannot reach Redis, it waits as long as the former may take itself for the projector
//   (`succeed`): the former projector gives no cache lease beyond that time (`heldForMs`). Example: 300 ms are left of
//   the former projector's lease, so the new projector waits 300 + 1,000 + 100 ms (`leaseMs`, `marginMs`).
// - A process that becomes the projector again begins a new epoch: another process may have projected meanwhile
//   without Redis, so unfenced old answers may lie there.
// - The fence trusts that clocks run evenly. A renewal (every quarter second) notices that Redis' clock was set back.
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
/** For the moment between Redis' taking a command and carrying it out. */
const marginMs = 100

/** The state of a process that has become the projector; the former may give leases for `formerLeftMs` yet. */
export const succession = (formerLeftMs: number): CacheState => ({
  name: "succeeding",
  until: performance.now() + formerLeftMs + leaseMs + marginMs,
  retryAt: 0,
})

/** Sleeps until a time by `performance.now()`. */
export const sleepUntil = async (at: number): Promise<void> => {
  const leftMs = at - performance.now()
  if (leftMs > 0) await sleep(leftMs)
}

/** Milliseconds until the table is taken over again after so many failures in a row: 1,000, 2,000, up to 30,000. */
export const delayOf = (failures: number): number => Math.min(30_000, 1_000 * 2 ** failures)
