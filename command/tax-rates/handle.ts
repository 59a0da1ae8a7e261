// Tax rates in Postgres. They leave no events: what was taxed stands in the orders.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import { ownXid } from "../execute/own-xid.ts"
import { accept, type Result, refuse } from "../vocabulary/rejection.ts"

/** A rate written by the transaction with this id. */
type SavedRate = Selectable<CommandDatabase["tax_rates"]> & { xid: string }

/** Creates a country's rate. A country that has one shows as a violated key (see constraints.ts). */
export async function createTaxRate(
  trx: Transaction<CommandDatabase>,
  rate: { country: string; basis_points: number },
  now: Date,
): Promise<Result<SavedRate>> {
  const row = await trx
    .insertInto("tax_rates")
    .values({ ...rate, created_at: now, updated_at: now })
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

export async function changeTaxRate(
  trx: Transaction<CommandDatabase>,
  country: string,
  basisPoints: number,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedRate>> {
  const present = await trx
    .selectFrom("tax_rates")
    .select("version")
    .where("country", "=", country)
    .forNoKeyUpdate()
    .executeTakeFirst()
  if (!present) return refuse("tax-rate-not-found", "The country has no tax rate.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  const row = await trx
    .updateTable("tax_rates")
    .set({ basis_points: basisPoints, version: sql<number>`version + 1`, updated_at: now })
    .where("country", "=", country)
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

/** Takes a country's rate away, and returns the transaction's id. What orders were taxed by it stays. */
export async function deleteTaxRate(
  trx: Transaction<CommandDatabase>,
  country: string,
  ifMatch: IfMatch | undefined,
): Promise<Result<string>> {
  const present = await trx
    .selectFrom("tax_rates")
    .select(["version", ownXid])
    .where("country", "=", country)
    .forUpdate()
    .executeTakeFirst()
  if (!present) return refuse("tax-rate-not-found", "The country has no tax rate.")
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  await trx.deleteFrom("tax_rates").where("country", "=", country).execute()
  return accept(present.xid)
}
