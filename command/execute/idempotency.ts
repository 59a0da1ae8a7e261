// Idempotency keys: the transaction that does a keyed command's work also stores the finished answer, so either both
// exist or neither. Claiming a key inserts its row first. A second request with the same key waits in that insert
// until the first request has committed or rolled back. After a commit the second request finds the answer; after a
// rollback it claims the key itself. A rejection rolls back and is not kept: the same key may be tried again.
import { createHash } from "node:crypto"
import { type Kysely, sql, type Transaction } from "kysely"
import { z } from "zod"
import type { CommandDatabase } from "../../db/command-schema.ts"

/** An answer as it went out and will go out again, byte for byte. */
export type Answer = { status: number; headers: Record<string, string>; body: string }

export type Claim =
  | { state: "claimed" }
  | { state: "answered"; answer: Answer; xid: string }
  | { state: "other-request" }

const storedHeaders = z.record(z.string(), z.string())

/** Two requests with equal method, path and body bytes have the same fingerprint and count as the same request. */
export function fingerprintOf(method: string, path: string, body: string): string {
  return createHash("sha256").update(`${method} ${path}\n${body}`).digest("hex")
}

/** Claims the key for this transaction, or returns the answer or the other request that has the key already. */
export async function claimKey(
  trx: Transaction<CommandDatabase>,
  key: string,
  fingerprint: string,
): Promise<Claim> {
  const claimed = await trx
    .insertInto("idempotency_keys")
    .values({ key, fingerprint, status: 0, headers: "{}", body: "" })
    .onConflict((conflict) => conflict.column("key").doNothing())
    .returning("key")
    .executeTakeFirst()
  if (claimed) return { state: "claimed" }
  const stored = await trx
    .selectFrom("idempotency_keys")
    .select(["fingerprint", "status", "headers", "body", sql<string>`xid::text`.as("xid")])
    .where("key", "=", key)
    .executeTakeFirst()
  if (!stored) return claimKey(trx, key, fingerprint) // the key was purged between the two statements
  if (stored.fingerprint !== fingerprint) return { state: "other-request" }
  const { status, headers, body, xid } = stored
  return { state: "answered", answer: { status, headers: storedHeaders.parse(headers), body }, xid }
}

/** Stores the answer under the claimed key, with the customer whom the answer is about. */
export async function storeAnswer(
  trx: Transaction<CommandDatabase>,
  key: string,
  { status, headers, body }: Answer,
  customerId: string | null,
): Promise<void> {
  await trx
    .updateTable("idempotency_keys")
    .set({ status, headers: JSON.stringify(headers), body, customer_id: customerId })
    .where("key", "=", key)
    .execute()
}

/**
 * Replaces a stored answer once the command's outcome is known. `createdAt` is the moment (a text of Postgres) at which
 * the transaction that stored the answer began. If another request has the key meanwhile, its answer stays.
 */
export async function replaceAnswer(
  trx: Transaction<CommandDatabase>,
  key: string,
  createdAt: string,
  { status, headers, body }: Answer,
): Promise<void> {
  await trx
    .updateTable("idempotency_keys")
    .set({ status, headers: JSON.stringify(headers), body, xid: sql<string>`pg_current_xact_id()` })
    .where("key", "=", key)
    .where("created_at", "=", sql<Date>`${createdAt}::timestamptz`)
    .execute()
}

const purgeBatch = 1_000

/**
 * Deletes keys older than `ttlHours` by the database's clock, in bounded batches, and returns their number. Several
 * instances may purge at the same time: each skips the rows that another instance is deleting. An expired key that is
 * not yet deleted still answers.
 */
export async function purgeExpiredKeys(db: Kysely<CommandDatabase>, ttlHours: number): Promise<number> {
  for (let total = 0; ; ) {
    const { numAffectedRows = 0n } = await sql`
      delete from idempotency_keys where key in (
        select key from idempotency_keys
        where created_at < now() - make_interval(hours => ${ttlHours})
        order by created_at limit ${purgeBatch} for update skip locked
      )`.execute(db)
    total += Number(numAffectedRows)
    if (numAffectedRows < purgeBatch) return total
  }
}
