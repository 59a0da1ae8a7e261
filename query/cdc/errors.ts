// What can go wrong in the engine and what is done about it. Every error that may reach the projector carries a
// code and a disposition; the projector is the one place that reads them.
//   retry  a dependency is down or a conflict was temporary: progress is held, readiness is red, it goes on by itself
//   halt   going on would break the promise: it stops with the reason and the next step for a person

export type Disposition = "retry" | "halt"

export type ErrorCode =
  | "apply-conflict"
  | "broken-chain"
  | "commit-log-mismatch"
  | "count-mismatch"
  | "dependency-down"
  | "history-truncated"
  | "incompatible-schema"
  | "missing-stored-value"
  | "source-changed"
  | "truncate"
  | "undecodable-record"
  | "unexpected"

export class EngineError extends Error {
  readonly code: ErrorCode
  readonly disposition: Disposition
  /** What a person should do; only a halt needs one. */
  readonly nextStep: string | null
  /** Topic, partition, offset, LSNs, xid, table: for the log and the status. */
  readonly detail: Readonly<Record<string, string | number>>

  constructor(
    disposition: Disposition,
    code: ErrorCode,
    message: string,
    more: { nextStep?: string; detail?: Record<string, string | number>; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause })
    this.name = "EngineError"
    this.disposition = disposition
    this.code = code
    this.nextStep = more.nextStep ?? null
    this.detail = more.detail ?? {}
  }
}

/** What to do when records that were promised are gone: the sentence every such halt ends with. */
export const rebuildNextStep =
  "Records are missing and cannot come back. Check the connector (npm run connectors:status), then rebuild from a snapshot: npm run projection:rebuild."

const transientSqlStates = /^(08|40|53|57P0|57014|55P03|25006|XX000)/

/** Gives any thrown value a disposition; an unknown fault is retried, never swallowed. */
export function classifyError(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  const message = error instanceof Error ? error.message : String(error)
  const sqlState = sqlStateOf(error)
  if (sqlState && transientSqlStates.test(sqlState)) {
    return new EngineError(
      "retry",
      sqlState.startsWith("40") ? "apply-conflict" : "dependency-down",
      message,
      {
        detail: { sqlState },
        cause: error,
      },
    )
  }
  if (sqlState) {
    return new EngineError("halt", "unexpected", `Postgres refused a statement: ${message}`, {
      nextStep:
        "This is a fault of the projection or of its tables. Fix it, restart, or rebuild: npm run projection:rebuild.",
      detail: { sqlState },
      cause: error,
    })
  }
  const isOutage = error instanceof Error && ("code" in error || /connection|timeout/i.test(message))
  return new EngineError("retry", isOutage ? "dependency-down" : "unexpected", message, { cause: error })
}

function sqlStateOf(error: unknown): string | null {
  if (typeof error !== "object" || error === null || !("code" in error)) return null
  return typeof error.code === "string" && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null
}
