// Whether an error of Postgres, or of the connection to it, means that it cannot serve now but may later.
// SQLSTATE: https://www.postgresql.org/docs/18/errcodes-appendix.html
import pg from "pg"

// Classes: connection, authorization (a password being changed), missing database, resources, object not ready,
// operator intervention (shutdown, time limits), system error.
const unavailableClasses = new Set(["08", "28", "3D", "53", "55", "57", "58"])
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
// node-postgres raises these without any code.
const connectionMessages =
  /connection terminated|timeout exceeded when trying to connect|not queryable|pool after calling end/i

export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code = "code" in error && typeof error.code === "string" ? error.code : ""
  if (error instanceof pg.DatabaseError) return unavailableClasses.has(code.slice(0, 2))
  return networkErrors.has(code) || connectionMessages.test(error.message)
}
