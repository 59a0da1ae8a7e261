// Customers in Postgres. A customer who was erased is never changed and never named again.
import type { Transaction } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { type Change, type Saved, versioned } from "../execute/versioned.ts"
import type { CustomerId } from "../vocabulary/ids.ts"
import { accept, type Refused, type Result, refuse } from "../vocabulary/rejection.ts"
import type { CustomerChange, CustomerRequest } from "./bodies.ts"

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

const customers = versioned({
  table: "customers",
  key: "id",
  lock: "update",
  missing: () => refuse("customer-not-found", "There is no such customer."),
  refuseChange: ({ erased_at }) => (erased_at ? refuseErased() : undefined),
})

/** Creates a customer. An e-mail address in use shows as a violated unique index (see constraints.ts). */
export async function createCustomer(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
  { email, name, phone, address }: CustomerRequest,
  now: Date,
): Promise<Result<Saved<"customers">>> {
  const contact = { email, name, phone: phone ?? null, address: address ? JSON.stringify(address) : null }
  return accept(await customers.create(trx, { id, ...contact }, now))
}

/** Overwrites the members that the request names; null clears. */
export async function changeCustomer(
  trx: Transaction<CommandDatabase>,
  id: CustomerId,
  { address, ...members }: CustomerChange,
  change: Change,
): Promise<Result<Saved<"customers">>> {
  const stored = address === undefined || address === null ? address : JSON.stringify(address)
  return await customers.change(trx, id, change, () => accept({ ...members, address: stored }))
}
