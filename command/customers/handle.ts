// Customers in Postgres. A customer has no rules beyond its columns' and leaves no events, so its commands are
// statements; its version rises with each.
import { type Selectable, sql, type Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type IfMatch, refuseUnlessMatching } from "../execute/if-match.ts"
import { ownXid } from "../execute/own-xid.ts"
import type { CustomerId } from "../vocabulary/ids.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import type { CustomerChange, CustomerRequest } from "./bodies.ts"

/** A customer written by the transaction with this id. */
type SavedCustomer = Selectable<CommandDatabase["customers"]> & { xid: string }

/**
 * Keeps the customer from being erased until the transaction ends, after waiting for an erasure that is under way.
 * @returns why no command may name this customer; a customer who is not there is left to the foreign key.
 */
export async function refuseIfErased(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
): Promise<Refused | undefined> {
  const row = await trx
    .selectFrom("customers")
    .select("erased_at")
    .where("id", "=", id)
    .forKeyShare()
    .executeTakeFirst()
  return row?.erased_at ? refuseErased() : undefined
}

/**
 * Why nothing may be written down about the customer of an order whose lock is held: an erasure takes that lock too, so
 * this row need not be locked.
 */
export async function refuseWordsIfErased(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
): Promise<Refused | undefined> {
  const row = await trx.selectFrom("customers").select("erased_at").where("id", "=", id).executeTakeFirst()
  if (!row?.erased_at) return undefined
  return refuse(
    "customer-erased",
    "The customer's personal data was erased. Send the command without a reason.",
  )
}

const refuseErased = (): Refused => refuse("customer-erased", "The customer's personal data was erased.")

/** Creates a customer. An e-mail address in use shows as a violated unique index (see constraints.ts). */
export async function createCustomer(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
  { email, name, phone, address }: CustomerRequest,
  now: Date,
): Promise<Result<SavedCustomer>> {
  const row = await trx
    .insertInto("customers")
    .values({
      id,
      email,
      name,
      phone: phone ?? null,
      address: address === undefined ? null : JSON.stringify(address),
      created_at: now,
      updated_at: now,
    })
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}

/** Overwrites the members that the change names; null clears. */
export async function changeCustomer(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
  { address, ...change }: CustomerChange,
  ifMatch: IfMatch | undefined,
  now: Date,
): Promise<Result<SavedCustomer>> {
  const present = await trx
    .selectFrom("customers")
    .select(["version", "erased_at"])
    .where("id", "=", id)
    .forUpdate()
    .executeTakeFirst()
  if (!present) return refuse("customer-not-found", "There is no such customer.")
  if (present.erased_at) return refuseErased()
  const mismatch = refuseUnlessMatching(ifMatch, present.version)
  if (mismatch) return mismatch
  const row = await trx
    .updateTable("customers")
    .set({ ...change, version: sql<number>`version + 1`, updated_at: now }) // undefined members are left out
    .$if(address !== undefined, (update) => update.set({ address: address && JSON.stringify(address) }))
    .where("id", "=", id)
    .returningAll()
    .returning(ownXid)
    .executeTakeFirstOrThrow()
  return accept(row)
}
