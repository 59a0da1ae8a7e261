// How every process connects to Postgres: exact types (int8 is bigint, never a float or a text), an error
// listener on the pool (without one a dropped idle connection kills the process), and time limits.
import { Kysely, PostgresDialect } from "kysely"
import pg from "pg"
import { limitAnswers, type Sockets } from "./half-open.ts"

const exactTypes: pg.CustomTypesConfig = {
  getTypeParser(oid: number, format?: "text" | "binary"): unknown {
    if (oid === pg.types.builtins.INT8 && format !== "binary") return BigInt
    return pg.types.getTypeParser(oid, format)
  },
}

export type ConnectionOptions = {
  url: string
  /** Shown in pg_stat_activity, so that an operator sees whose backend it is. */
  applicationName: string
  maxConnections?: number
  /** A statement running longer is cancelled by the server; 0 means no limit. */
  statementTimeoutMs?: number
  /**
   * A statement that has no answer after so long breaks its connection. Longer than `statementTimeoutMs`: a server
   * that is there says so itself. Absent where statements may take any time.
   */
  answerLimitMs?: number
  /** A transaction that rests for longer is ended by the server: its locks must not outlive a process that is gone. */
  idleTransactionLimitMs?: number
  /** The pool's sockets come from here, for an owner that must be able to break them. */
  sockets?: Sockets
  /** Keep idle connections for ever: as long as the process lives, others see it connected. */
  keepIdle?: boolean
  /** Called for errors of idle connections; the pool replaces them by itself. */
  onIdleError?: (error: Error) => void
}

/** A pool with exact types. The caller closes it with `pool.end()`. */
export function createPool(options: ConnectionOptions): pg.Pool {
  const pool = new pg.Pool({
    ...clientConfig(options),
    max: options.maxConnections ?? 10,
    idleTimeoutMillis: options.keepIdle ? 0 : 10_000,
  })
  pool.on("error", (error) => options.onIdleError?.(error))
  // The pool listens only while a connection is idle; one that breaks in use must not end the process either.
  pool.on("connect", (client) => {
    client.on("error", () => undefined)
    if (options.answerLimitMs && client instanceof pg.Client) limitAnswers(client, options.answerLimitMs)
  })
  return pool
}

/** Settings of a single client with the same types and limits; the caller adds its own error listener. */
export function clientConfig(options: ConnectionOptions): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    types: exactTypes,
    statement_timeout: options.statementTimeoutMs ?? 0,
    idle_in_transaction_session_timeout: options.idleTransactionLimitMs ?? 0,
    connectionTimeoutMillis: 5_000,
    // An idle connection whose other end is gone is noticed within half a minute, and no firewall forgets it.
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ...(options.sockets ? { stream: options.sockets.open } : {}),
  }
}

/** A typed query builder over a pool; destroying it ends the pool. */
export function createDatabase<Schema>(pool: pg.Pool): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}
