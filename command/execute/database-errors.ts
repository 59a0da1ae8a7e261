// What an error of Postgres or of the connection to it means: a rejection, a conflict worth another try, or
// a database that cannot serve at the moment. Everything else is a fault of ours.
// SQLSTATE: https://www.postgresql.org/docs/18/errcodes-appendix.html
import pg from "pg"
import { type Refused, refuse } from "../vocabulary/rejection.ts"

const rejectionsByConstraint: Record<string, () => Refused> = {
  orders_customer_id_fkey: () => refuse("customer-unknown", "There is no such customer."),
  order_items_product_id_fkey: () => refuse("product-unknown", "The catalogue has no such product."),
  products_pkey: () => refuse("product-exists", "Another product has this id."),
  inventory_product_id_fkey: () => refuse("product-not-found", "There is no such product."),
  discounts_customer_id_fkey: () => refuse("customer-unknown", "There is no such customer."),
  discounts_product_id_fkey: () => refuse("product-unknown", "The catalogue has no such product."),
  discounts_code_key: () => refuse("discount-code-taken", "Another discount has this code."),
  tax_rates_pkey: () => refuse("tax-rate-exists", "The country has a tax rate. PATCH changes it."),
  customers_email: () => refuse("email-taken", "Another customer has this e-mail address."),
  order_events_pkey: () =>
    refuse("version-conflict", "Another command was faster. Look at the order again, then repeat."),
}

/** The rejection that a violated constraint stands for. */
export function rejectionOf(error: unknown): Refused | undefined {
  if (!(error instanceof pg.DatabaseError)) return undefined
  return rejectionsByConstraint[error.constraint ?? ""]?.()
}

/** Deadlock or serialization failure: the same transaction may succeed when tried again. */
export function isConflict(error: unknown): boolean {
  return error instanceof pg.DatabaseError && (error.code === "40001" || error.code === "40P01")
}

// Classes: connection, transaction rollback, authorization (a password being changed), missing database,
// resources, object not ready, operator intervention (shutdown, time limits), system error; 25006 is a standby.
const unavailableClasses = new Set(["08", "40", "28", "3D", "53", "55", "57", "58"])
const unavailableStates = new Set(["25006"])
const networkErrors = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
])
// node-postgres and Kysely raise these without any code.
const connectionMessages =
  /connection terminated|timeout exceeded when trying to connect|not queryable|pool after calling end|driver has already been destroyed/i

/** True if the database cannot serve now but may later, without any change to the request. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  if (error instanceof pg.DatabaseError) {
    return unavailableClasses.has(code.slice(0, 2)) || unavailableStates.has(code)
  }
  return networkErrors.has(code) || connectionMessages.test(error.message)
}
