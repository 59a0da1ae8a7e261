// The lease keeper claims for this process to be the one projector: it waits for the lease, renews the lease while work
// goes on, and tells the work to end when the lease is lost.
import type { Kysely } from "kysely"
import type { Logger } from "pino"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { pause } from "../vocabulary/pacing.ts"
import { acquireLease, type Lease, releaseLease, renewLease } from "./lease.ts"

/** The time between renewals, as a share of the time that the lease lasts. */
const renewShare = 0.1
const standbyPollMs = 250

export type LeaseKeeper = ReturnType<typeof createLeaseKeeper>

export function createLeaseKeeper(deps: {
  db: Kysely<QueryDatabase>
  source: string
  holder: string
  ttlMs: number
  log: Logger
}) {
  const { db, source, holder, ttlMs, log } = deps
  /** Monotonic time until which the lease lasts, counted from before the last successful request. */
  let leasedUntil = 0

  return {
    /** Stands by until the lease is ours; null when the signal is aborted first. */
    async acquire(signal: AbortSignal, onStandby: () => void): Promise<Lease | null> {
      while (!signal.aborted) {
        const askedAt = performance.now()
        const lease = await acquireLease(db, { source, holder, ttlMs })
        if (lease) {
          leasedUntil = askedAt + ttlMs
          log.info({ leaseEpoch: String(lease.leaseEpoch) }, "took the lease")
          return lease
        }
        onStandby()
        await pause(standbyPollMs, signal)
      }
      return null
    },

    /** Renews until the signal is aborted; calls `onLost` when the lease is another's or was not renewed in time. */
    async keep(lease: Lease, signal: AbortSignal, onLost: () => void): Promise<void> {
      while (!signal.aborted) {
        await pause(renewShare * ttlMs, signal)
        if (signal.aborted) return
        const askedAt = performance.now()
        const renewed = await Promise.race([renewLease(db, lease, ttlMs).catch(() => null), overdue(signal)])
        if (renewed) leasedUntil = askedAt + ttlMs
        if (renewed === false || performance.now() > leasedUntil) onLost()
      }

      /** A database that neither answers nor breaks the connection must not hold the keeper longer than the lease. */
      async function overdue(until: AbortSignal): Promise<null> {
        await pause(leasedUntil - performance.now() + 1, until)
        return null
      }
    },

    /** Lets the lease go, so that a standby need not wait for its expiry. */
    async release(lease: Lease): Promise<void> {
      leasedUntil = 0
      // If the database is down the lease runs out by itself.
      await releaseLease(db, lease).catch(() => {})
    },

    /** For how long the lease is certainly still ours, by this process' monotonic clock. */
    leftMs: (): number => Math.max(0, leasedUntil - performance.now()),
  }
}
