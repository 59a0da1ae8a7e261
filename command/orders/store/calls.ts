// The open requests to the payment provider, one row each. A row is written in the transaction of the command that
// wants it and leaves in the transaction that records the answer: whatever dies in between, the schedule asks again by
// the same key.
import { type Kysely, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../../db/command-schema.ts"
import type { ProviderCall } from "../../payments/provider.ts"
import { orderId } from "../../vocabulary/ids.ts"

/** How the provider is asked first, and by whom: by the command until `afterMs` are over, then by the schedule. */
export type Asking = {
  methodToken: string | null
  /** The key whose stored answer the provider's is to replace. */
  idempotencyKey: string | null
  /** After so long without an answer the schedule asks. */
  afterMs: number
}

/** Keeps the requests, and returns them as they will be sent. */
export async function saveCalls(
  trx: Transaction<CommandDatabase>,
  calls: readonly ProviderCall[],
  { methodToken, idempotencyKey, afterMs }: Asking,
): Promise<ProviderCall[]> {
  if (calls.length === 0) return []
  const asked = calls.map((call) => ({ ...call, methodToken }))
  await trx
    .insertInto("provider_calls")
    .values(
      asked.map((call) => ({
        key: call.key,
        order_id: call.orderId,
        operation: call.operation,
        payment: call.payment,
        refund: call.refund,
        amount_minor: call.amountMinor,
        currency: call.currency,
        method_token: call.methodToken,
        reference: call.reference,
        idempotency_key: idempotencyKey,
        ask_at: sql<Date>`now() + make_interval(secs => ${afterMs / 1_000})`,
      })),
    )
    .execute()
  return asked
}

const mostDoublings = 7

/**
 * Takes requests that are due, each for one instance: no other instance gets a request before `holdMs` are over, and
 * twice as long with each attempt.
 */
export async function claimDueCalls(
  db: Kysely<CommandDatabase>,
  limit: number,
  holdMs: number,
): Promise<ProviderCall[]> {
  const due = db
    .selectFrom("provider_calls")
    .select("key")
    .where("ask_at", "<=", sql<Date>`now()`)
    .orderBy("ask_at")
    .limit(limit)
    .forUpdate()
    .skipLocked()
  const rows = await db
    .updateTable("provider_calls")
    .set({
      attempts: sql<number>`attempts + 1`,
      ask_at: sql<Date>`now() + make_interval(secs => ${holdMs / 1_000} * 2 ^ least(attempts, ${mostDoublings}))`,
    })
    .where("key", "in", due)
    .returningAll()
    .execute()
  return rows.map((row) => ({
    key: row.key,
    operation: row.operation,
    amountMinor: row.amount_minor,
    currency: row.currency,
    methodToken: row.method_token,
    reference: row.reference,
    orderId: orderId.parse(row.order_id),
    payment: row.payment,
    refund: row.refund,
  }))
}

/** The stored answer that waits for the provider's. */
export type AwaitingAnswer = { idempotencyKey: string | null; createdAt: string }

/** The request if it is still open; it stays so. */
export async function findCall(
  trx: Transaction<CommandDatabase>,
  key: string,
): Promise<AwaitingAnswer | undefined> {
  return await trx
    .selectFrom("provider_calls")
    .select(["idempotency_key as idempotencyKey", sql<string>`created_at::text`.as("createdAt")])
    .where("key", "=", key)
    .executeTakeFirst()
}

/** Ends the request; undefined if its answer has been recorded before. */
export async function closeCall(
  trx: Transaction<CommandDatabase>,
  key: string,
): Promise<AwaitingAnswer | undefined> {
  return await trx
    .deleteFrom("provider_calls")
    .where("key", "=", key)
    .returning(["idempotency_key as idempotencyKey", sql<string>`created_at::text`.as("createdAt")])
    .executeTakeFirst()
}
