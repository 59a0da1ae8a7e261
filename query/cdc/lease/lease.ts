// Who may write: one projector per source, decided by a row in the query database and that database's clock.
// Whoever takes the lease over first ends the former holder's connections (an open transaction of a stopped process
// would otherwise commit when it is continued, or hold its locks for ever), then raises the epoch and stamps it on the
// progress rows in one transaction. Every apply must match that stamp, and everything else that a projector writes
// runs under `underLease`. A process that lost the lease without noticing can therefore write nothing.
import { type Kysely, type RawBuilder, sql, type Transaction } from "kysely"
import { sqlStateOf } from "../../../db/errors.ts"
import type { QueryDatabase } from "../../../db/query-schema.ts"
import { EngineError } from "../vocabulary/errors.ts"

/** What every write has to show. */
export type LeaseRef = { source: string; leaseEpoch: bigint }

/** What a write for the holder of a generation has to show. */
export const leaseOf = (target: { ref: { source: string }; leaseEpoch: bigint }): LeaseRef => ({
  source: target.ref.source,
  leaseEpoch: target.leaseEpoch,
})

export type Lease = LeaseRef & {
  holder: string
  /** For how long the holder before may still take itself for the holder; 0 if it let go. */
  formerLeftMs: number
}

/** Connections of a holder carry this name, so that a successor finds and ends them. */
export const projectorConnectionName = (holder: string): string => `projector ${holder}`

/** A takeover that waits longer for a lock gives way, and the next attempt ends whoever holds it. */
const lockTimeoutMs = 3_000
/** Per connection; what is not gone by then is met as a lock that cannot be had. */
const terminationMs = 1_000
const lockNotAvailable = "55P03"

/**
 * Takes the lease when it has expired or when its holder has no connection left, which is how a killed process
 * looks long before its lease runs out.
 * @returns the lease, or null while somebody else holds it.
 */
export async function acquireLease(
  db: Kysely<QueryDatabase>,
  options: { source: string; holder: string; ttlMs: number },
): Promise<Lease | null> {
  const seen = await look(db, options)
  if (seen && !seen.free) return null
  // Before any lock is asked for: what the former holder has open may hold it.
  if (seen && seen.holder !== options.holder) await endConnections(db, seen.holder)
  try {
    const leaseEpoch = await take(db, options, seen)
    if (leaseEpoch === null) return null
    const isOwn = seen === null || seen.holder === options.holder
    const { source, holder } = options
    return { source, holder, leaseEpoch, formerLeftMs: isOwn ? 0 : seen.left_ms }
  } catch (error) {
    if (sqlStateOf(error) === lockNotAvailable) return null
    throw error
  }
}

/** `expires_at` as text, because a Date would lose its microseconds. */
type Seen = { holder: string; lease_epoch: bigint; expires_at: string; left_ms: number; free: boolean }

async function look(
  db: Kysely<QueryDatabase>,
  options: { source: string; holder: string },
): Promise<Seen | null> {
  const { rows } = await sql<Seen>`
    select holder, lease_epoch, expires_at::text,
      greatest(0, extract(epoch from expires_at - clock_timestamp()) * 1000)::float8 as left_ms,
      expires_at < clock_timestamp() or holder = ${options.holder}
        or not exists (select from pg_stat_activity
                       where application_name = 'projector ' || holder and datname = current_database()) as free
    from cdc.leases where source = ${options.source}`.execute(db)
  return rows[0] ?? null
}

/** All are told before any is waited for. */
async function endConnections(db: Kysely<QueryDatabase>, holder: string): Promise<void> {
  for (const end of [sql`pg_terminate_backend(pid)`, sql`pg_terminate_backend(pid, ${terminationMs})`]) {
    await sql`
      select ${end} from pg_stat_activity
      where application_name = ${projectorConnectionName(holder)} and datname = current_database()`.execute(
      db,
    )
  }
}

/** @returns the new epoch; null if the lease is no longer as it was seen. */
async function take(
  db: Kysely<QueryDatabase>,
  { source, holder, ttlMs }: { source: string; holder: string; ttlMs: number },
  seen: Seen | null,
): Promise<bigint | null> {
  return await db.transaction().execute(async (trx) => {
    await sql`select set_config('lock_timeout', ${String(lockTimeoutMs)}, true)`.execute(trx)
    if (seen) {
      // Waits for whoever writes under the lease, which a mere update of the row would not.
      await sql`select from cdc.leases where source = ${source} for update`.execute(trx)
    }
    const taken = seen
      ? await sql<{ lease_epoch: bigint }>`
          update cdc.leases
          set holder = ${holder}, lease_epoch = lease_epoch + 1, expires_at = ${expiry(ttlMs)}
          where source = ${source} and lease_epoch = ${seen.lease_epoch}
            and expires_at = ${seen.expires_at}::timestamptz
          returning lease_epoch`.execute(trx)
      : await sql<{ lease_epoch: bigint }>`
          insert into cdc.leases (source, holder, lease_epoch, expires_at)
          values (${source}, ${holder}, 1, ${expiry(ttlMs)})
          on conflict do nothing returning lease_epoch`.execute(trx)
    const row = taken.rows[0]
    if (!row) return null
    await trx
      .updateTable("cdc.progress")
      .set({ lease_epoch: row.lease_epoch })
      .where("source", "=", source)
      .execute()
    return row.lease_epoch
  })
}

/** @returns false when the lease has gone to somebody else. */
export async function renewLease(
  db: Kysely<QueryDatabase>,
  lease: LeaseRef,
  ttlMs: number,
): Promise<boolean> {
  const renewed = await sql`
    update cdc.leases set expires_at = ${expiry(ttlMs)}
    where source = ${lease.source} and lease_epoch = ${lease.leaseEpoch}`.execute(db)
  return renewed.numAffectedRows === 1n
}

/**
 * Runs the work in a transaction that commits only if the lease is ours then: the row stays locked against a takeover,
 * though not against being renewed.
 * @throws EngineError (retry) when the lease is another's; nothing is written then.
 */
export async function underLease<Result>(
  db: Kysely<QueryDatabase>,
  lease: LeaseRef,
  work: (trx: Transaction<QueryDatabase>) => Promise<Result>,
): Promise<Result> {
  return await db.transaction().execute(async (trx) => {
    const held = await lockLease(lease).execute(trx)
    if (held.rows.length !== 1) throw leaseIsAnothers()
    return await work(trx)
  })
}

/** One row while the lease is ours, which is then locked against a takeover until the transaction ends. */
export const lockLease = ({ source, leaseEpoch }: LeaseRef): RawBuilder<{ holder: string }> => sql`
  select holder from cdc.leases where source = ${source} and lease_epoch = ${leaseEpoch} for key share`

export const leaseIsAnothers = (): EngineError =>
  new EngineError("apply-conflict", "Another projector has taken over; this one wrote nothing.")

/** Lets a standby take over at once instead of after the expiry. */
export async function releaseLease(db: Kysely<QueryDatabase>, lease: LeaseRef): Promise<void> {
  await sql`
    update cdc.leases set expires_at = clock_timestamp() - interval '1 second'
    where source = ${lease.source} and lease_epoch = ${lease.leaseEpoch}`.execute(db)
}

const expiry = (ttlMs: number) => sql`clock_timestamp() + make_interval(secs => ${ttlMs / 1000})`
