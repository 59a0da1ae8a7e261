// Who may write: one projector per source, decided by a row in the query database and that database's clock.
// Taking the lease over raises its epoch, ends the former holder's connections (an open transaction of a stopped
// process would otherwise commit when it is continued) and stamps the epoch on the progress rows, which every
// apply must match. A process that lost the lease without noticing can therefore write nothing.
import { type Kysely, sql, type Transaction } from "kysely"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { EngineError } from "./errors.ts"

export type Lease = { holder: string; leaseEpoch: bigint }

/** Connections of a holder carry this name, so that a successor finds and ends them. */
export const projectorConnectionName = (holder: string): string => `projector ${holder}`

/**
 * Takes the lease when it has expired or when its holder has no connection left, which is how a killed process
 * looks long before its lease runs out.
 * @returns the lease, or null while somebody else holds it.
 */
export async function acquireLease(
  db: Kysely<QueryDatabase>,
  options: { source: string; holder: string; ttlMs: number },
): Promise<Lease | null> {
  const taken = await sql<{ lease_epoch: bigint; former: string | null }>`
    insert into cdc.leases as lease (source, holder, lease_epoch, expires_at)
    values (${options.source}, ${options.holder}, 1, ${expiry(options.ttlMs)})
    on conflict (source) do update
    set holder = excluded.holder, lease_epoch = lease.lease_epoch + 1, expires_at = excluded.expires_at
    where lease.expires_at < clock_timestamp() or lease.holder = excluded.holder
       or not exists (select from pg_stat_activity
                      where application_name = 'projector ' || lease.holder and datname = current_database())
    returning new.lease_epoch, old.holder as former`.execute(db)
  const row = taken.rows[0]
  if (!row) return null
  if (row.former !== null && row.former !== options.holder) {
    await sql`
      select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name = ${projectorConnectionName(row.former)} and datname = current_database()`.execute(
      db,
    )
  }
  await db
    .updateTable("cdc.progress")
    .set({ lease_epoch: row.lease_epoch })
    .where("source", "=", options.source)
    .execute()
  return { holder: options.holder, leaseEpoch: row.lease_epoch }
}

/** @returns false when the lease has gone to somebody else. */
export async function renewLease(
  db: Kysely<QueryDatabase>,
  lease: Lease,
  options: { source: string; ttlMs: number },
): Promise<boolean> {
  const renewed = await sql`
    update cdc.leases set expires_at = ${expiry(options.ttlMs)}
    where source = ${options.source} and holder = ${lease.holder} and lease_epoch = ${lease.leaseEpoch}`.execute(
    db,
  )
  return renewed.numAffectedRows === 1n
}

/** Inside a transaction: it commits only if the lease is still ours then, because the row stays locked. */
export async function assertLease(
  trx: Transaction<QueryDatabase>,
  source: string,
  leaseEpoch: bigint,
): Promise<void> {
  const held = await trx
    .selectFrom("cdc.leases")
    .select("holder")
    .where("source", "=", source)
    .where("lease_epoch", "=", leaseEpoch)
    .forShare()
    .executeTakeFirst()
  if (!held)
    throw new EngineError("apply-conflict", "Another projector has taken over; this one wrote nothing.")
}

/** Lets a standby take over at once instead of after the expiry. */
export async function releaseLease(db: Kysely<QueryDatabase>, lease: Lease, source: string): Promise<void> {
  await sql`
    update cdc.leases set expires_at = clock_timestamp() - interval '1 second'
    where source = ${source} and holder = ${lease.holder} and lease_epoch = ${lease.leaseEpoch}`.execute(db)
}

const expiry = (ttlMs: number) => sql`clock_timestamp() + make_interval(secs => ${ttlMs / 1000})`
