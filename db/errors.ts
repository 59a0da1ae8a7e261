// The meaning of an error of Postgres, or of the connection to it. Both sides judge by this file, and each has its own
// answer to it: an HTTP service answers 503, the engine waits, parks the row or halts.
// Errors are judged by their code. A code of five characters is an SQLSTATE, said by the server; the codes below it in
// this file are those of the operating system. Example: 40P01 is a deadlock, and ECONNREFUSED is a server that is off.

export type PostgresFault =
  /** The transaction was refused for the sake of another one. The same transaction may succeed when it is tried again. */
  | "conflict"
  /** The server cannot do it now: it starts, stops, is a standby, or is out of something. */
  | "unavailable"
  /** The server does not let this process in: its role, its password or its database is missing. */
  | "no-access"
  /** The role may not do this. */
  | "no-permission"
  /** A value does not fit its type, a constraint or a limit, or a trigger refused it. */
  | "bad-value"
  /** An earlier statement of the transaction has failed; the error of that statement says why. */
  | "failed-before"
  /** A fault inside the server. */
  | "server-fault"
  /** Tables or indexes are damaged on disk. */
  | "damaged"
  /** Everything else: the statement is wrong, whatever the values. */
  | "bad-statement"

/**
 * The longest prefix of a SQLSTATE decides: 25006 is `unavailable`, and 25001 has no entry, so it is `bad-statement`.
 * https://www.postgresql.org/docs/18/errcodes-appendix.html
 */
const faults: Readonly<Record<string, PostgresFault>> = {
  // Connection exception. Whole: a connection pooler says 08P01 when it has no server to give.
  "08": "unavailable",
  "22": "bad-value", // data exception
  "23": "bad-value", // integrity constraint violation
  "25006": "unavailable", // read-only transaction: a standby, or a failover is under way
  "25P02": "failed-before",
  "25P03": "unavailable", // the server ended a transaction that rested for too long
  "25P04": "unavailable", // the server ended a transaction that took too long
  "28": "no-access", // role or password
  "3D": "no-access", // no such database
  "40": "conflict", // serialization failure, deadlock, a standby's read in the way of recovery
  "42501": "no-permission",
  "44": "bad-value", // check option of a view
  "53": "unavailable", // out of connections, memory or disk
  "54": "bad-value", // a value beyond a limit, such as an index row too large
  "55": "unavailable", // an object in use, a lock not to be had, recovery is in progress
  "57": "unavailable", // shut down, starting up, cancelled, a time limit
  "58": "unavailable", // the server's own files or network
  P0: "bad-value", // raised by a trigger or a function
  XX: "server-fault", // an internal error
  XX001: "damaged",
  XX002: "damaged",
}

/** The fault that Postgres told of; null if the error is not Postgres'. */
export function postgresFaultOf(error: unknown): PostgresFault | null {
  const sqlState = sqlStateOf(error)
  if (sqlState === null) return null
  const prefix = [5, 2].map((length) => sqlState.slice(0, length)).find((key) => key in faults) ?? ""
  return faults[prefix] ?? "bad-statement"
}

/** The SQLSTATE that an error of Postgres carries; null for every other error. */
export function sqlStateOf(error: unknown): string | null {
  const code = codeOf(error)
  // No class begins with E; names of system errors do, and EPIPE is five letters long.
  return code !== null && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code) ? code : null
}

/** The violated constraint's name, if the error names one. */
export function constraintOf(error: unknown): string | null {
  const isNamed = sqlStateOf(error) !== null && error instanceof Error && "constraint" in error
  return isNamed && typeof error.constraint === "string" ? error.constraint : null
}

/** Serialization failure or deadlock, and no other of class 40: the same transaction is worth another try at once. */
export function isConflict(error: unknown): boolean {
  return ["40001", "40P01"].includes(sqlStateOf(error) ?? "")
}

/** The database cannot serve now and may later, with nothing changed in the request. */
export function isUnavailable(error: unknown): boolean {
  const fault = postgresFaultOf(error)
  if (fault !== null) return fault === "unavailable" || fault === "conflict" || fault === "no-access"
  return isUnreachable(error)
}

/** Codes of the operating system and its resolver for another machine that does not answer. */
const unreachable = new Set([
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETRESET",
  "ENETUNREACH",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
])
/** Said of files and addresses too; of connecting they mean a socket file that is not there, and no port left. */
const unreachableByConnect = new Set(["EADDRNOTAVAIL", "ENOENT"])

// node-postgres and Kysely raise these as an Error with a message and nothing else.
const endedConnection = /^Connection terminated( unexpectedly)?$|is not queryable$/
const noConnection: readonly RegExp[] = [
  /^Connection terminated due to connection timeout$/,
  /^timeout (expired|exceeded when trying to connect)$/,
  /^Cannot use a pool after calling end/,
  /^driver has already been destroyed$/,
  /^There was an error establishing an SSL connection/,
]

/** There is no connection to the server, or it broke: known by the system's code, or by the driver's message. */
export function isUnreachable(error: unknown): boolean {
  if (!(error instanceof Error) || sqlStateOf(error) !== null) return false
  const code = codeOf(error)
  if (code !== null) return unreachable.has(code) || (unreachableByConnect.has(code) && isOfConnect(error))
  return [endedConnection, ...noConnection].some((known) => known.test(error.message))
}

// Ended by an administrator, by a crash or for idling; the connection does not exist or failed.
const endingStates = new Set(["57P01", "57P02", "57P05", "08003", "08006"])

/**
 * The connection ended under the statement, perhaps unnoticed while it was idle: a read may be asked again at once on
 * another one. A server that cannot be reached at all is no such case; asking again would only wait again.
 */
export function isBrokenConnection(error: unknown): boolean {
  const sqlState = sqlStateOf(error)
  if (sqlState !== null) return endingStates.has(sqlState)
  const code = codeOf(error)
  if (code !== null) return code === "ECONNRESET" || code === "EPIPE"
  return error instanceof Error && endedConnection.test(error.message)
}

/** Two sessions changed the same row of the catalogue. Postgres says so by a message alone: its code is XX000. */
export function isCatalogConflict(error: unknown): boolean {
  return (
    sqlStateOf(error) === "XX000" &&
    error instanceof Error &&
    error.message.includes("tuple concurrently updated")
  )
}

const isOfConnect = (error: Error): boolean => "syscall" in error && error.syscall === "connect"

function codeOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null
  return typeof error.code === "string" ? error.code : null
}
