// What can go wrong in the engine and what is done about it: the one table of codes and dispositions.
//   retry        a dependency is down or a conflict was temporary: progress is held, readiness is red, it goes on
//   dead-letter  this record or row is bad: it is parked with the progress, and the rest goes on
//   halt         going on would break the promise: it stops with the reason and the next step for a person
import { isUnreachable, type PostgresFault, postgresFaultOf, sqlStateOf } from "../../../db/errors.ts"

export type Disposition = "retry" | "dead-letter" | "halt"

/** Every code an error of the engine can carry, and what is done about it. */
export const dispositions = {
  /** A transaction was refused for the sake of another one, or the lease is another's. */
  "apply-conflict": "retry",
  /** A database, Kafka, the registry or Connect does not answer, or not now. */
  "dependency-down": "retry",
  /** A fault nobody thought of: tried again, never swallowed. */
  unexpected: "retry",
  /** The bytes of a data record are no row change of its table. */
  "undecodable-record": "dead-letter",
  /** A data record names a schema that the registry does not know. */
  "unknown-schema": "dead-letter",
  /** Postgres cannot store the row or compute what is derived from it. */
  "bad-row": "dead-letter",
  /** An update leaves a value alone that is stored nowhere. */
  "missing-stored-value": "dead-letter",
  /** A redrive would come before what has to come before it. */
  "redrive-too-early": "dead-letter",
  /** A redrive would bring back personal data that was erased. */
  "erased-since": "dead-letter",
  "broken-chain": "halt",
  "commit-log-mismatch": "halt",
  "count-mismatch": "halt",
  "history-truncated": "halt",
  "incompatible-schema": "halt",
  misconfigured: "halt",
  /** Postgres refuses a statement whatever the row: the tables or the projection are not what they should be. */
  "refused-statement": "halt",
  "source-changed": "halt",
  "too-many-dead-letters": "halt",
  truncate: "halt",
  "undecodable-commit-log": "halt",
} as const satisfies Record<string, Disposition>

export type ErrorCode = keyof typeof dispositions

export class EngineError extends Error {
  readonly code: ErrorCode
  readonly disposition: Disposition
  /** What a person should do; only a halt needs one. */
  readonly nextStep: string | null
  /** Topic, partition, offset, LSNs, xid, table: for the log and the status. Never a row's values. */
  readonly detail: Readonly<Record<string, string | number>>

  constructor(
    code: ErrorCode,
    message: string,
    more: { nextStep?: string; detail?: Record<string, string | number>; cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause })
    this.name = "EngineError"
    this.disposition = dispositions[code]
    this.code = code
    this.nextStep = more.nextStep ?? null
    this.detail = more.detail ?? {}
  }
}

/** What to do when records that were promised are gone: the sentence every such halt ends with. */
export const rebuildNextStep =
  "Records are missing and cannot come back. Check the connector (npx lockstep connector status), then rebuild from a snapshot: npx lockstep projection rebuild."

/** What is done about a fault that Postgres tells of. */
const byPostgresFault = {
  "bad-statement": "refused-statement",
  "bad-value": "bad-row",
  conflict: "apply-conflict",
  damaged: "refused-statement",
  "failed-before": "unexpected",
  "no-access": "misconfigured",
  "no-permission": "misconfigured",
  "server-fault": "dependency-down",
  unavailable: "dependency-down",
} as const satisfies Record<PostgresFault, ErrorCode>

/**
 * Kafka's answers that waiting does not change; every other fault of Kafka or of its client is waited for.
 * https://kafka.apache.org/protocol#protocol_error_codes
 */
const refusedByKafka: ReadonlySet<string> = new Set([
  "CLUSTER_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "ILLEGAL_SASL_STATE",
  "INVALID_TOPIC_EXCEPTION",
  "POLICY_VIOLATION",
  "SASL_AUTHENTICATION_FAILED",
  "SECURITY_DISABLED",
  "TOPIC_AUTHORIZATION_FAILED",
  "UNSUPPORTED_SASL_MECHANISM",
  "UNSUPPORTED_VERSION",
])

/** A fault of Kafka or of its client, which wraps what the broker said. */
export function kafkaFault(what: string, thrown: unknown): EngineError {
  const refusal = refusalIn(thrown)
  if (refusal === null) return new EngineError("dependency-down", what, { cause: thrown })
  return new EngineError("misconfigured", `${what} It refuses this process: ${refusal}.`, {
    nextStep: "Check the brokers' permissions and this process' settings, then restart it.",
    detail: { kafka: refusal },
    cause: thrown,
  })
}

function refusalIn(thrown: unknown): string | null {
  for (
    let error = thrown;
    error instanceof Error;
    error = "originalError" in error ? error.originalError : error.cause
  ) {
    if ("type" in error && typeof error.type === "string" && refusedByKafka.has(error.type)) return error.type
  }
  return null
}

/** A dependency's answer over HTTP that is not the one asked for. */
export function httpFault(what: string, status: number): EngineError {
  if (status !== 401 && status !== 403)
    return new EngineError("dependency-down", what, { detail: { status } })
  return new EngineError("misconfigured", what, {
    nextStep: "It refuses this process. Check its permissions and this process' settings, then restart it.",
    detail: { status },
  })
}

/** Gives any thrown value a code, and with it a disposition; an unknown fault is retried, never swallowed. */
export function classifyError(error: unknown): EngineError {
  if (error instanceof EngineError) return error
  const message = error instanceof Error ? error.message : String(error)
  const fault = postgresFaultOf(error)
  if (fault !== null) return refusedBy(fault, message, error)
  return new EngineError(isOutage(error) ? "dependency-down" : "unexpected", message, { cause: error })
}

/** A time limit of this process passed: `AbortSignal.timeout` names its error so and gives it no code of the system. */
function isOutage(error: unknown): boolean {
  return isUnreachable(error) || (error instanceof Error && error.name === "TimeoutError")
}

function refusedBy(fault: PostgresFault, message: string, cause: unknown): EngineError {
  const code = byPostgresFault[fault]
  const more = { detail: { sqlState: sqlStateOf(cause) ?? "" }, cause }
  if (dispositions[code] !== "halt") return new EngineError(code, message, more)
  const nextStep =
    code === "misconfigured"
      ? "Check the database's roles and this process' settings, then restart it."
      : "This is a fault of the projection or of its tables. Fix it, restart, or rebuild: npx lockstep projection rebuild."
  return new EngineError(code, `Postgres refused a statement: ${message}`, { nextStep, ...more })
}
