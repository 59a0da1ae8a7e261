// The engine's own tables in the query database (schema `cdc`) as Kysely sees them. Read-model tables live in
// one schema per generation and are described where they are projected (query/orders).
// LSNs are bigint here and become the branded `Lsn` in query/cdc/vocabulary/lsn.ts.
import type { ColumnType, Generated } from "kysely"

type Timestamp = ColumnType<Date, Date | undefined, Date>

export type GenerationState = "loading" | "live" | "retired"
export type RequestKind = "rebuild" | "redrive" | "discard"
export type RequestState = "pending" | "running" | "done" | "failed"
export type ProjectorState = "starting" | "loading" | "following" | "waiting" | "retrying" | "halted"

/**
 * `superseded`: the row had moved on, and none of the dead letter's values was missing any more. `erased`: the same, and
 * an erasure has removed the dead letter's bytes.
 */
export type DeadLetterState = "parked" | "applied" | "superseded" | "discarded" | "erased"

export type QueryDatabase = {
  "cdc.sources": {
    source: string
    epoch: number
    system_identifier: string
    timeline: number
    live_generation: number | null
    cache_epoch: Generated<bigint>
  }
  "cdc.leases": {
    source: string
    holder: string
    lease_epoch: bigint
    expires_at: Date
  }
  "cdc.generations": {
    source: string
    generation: number
    schema_name: string
    projection_version: string
    state: GenerationState
    base_lsn: bigint | null
    rows_expected: Generated<bigint>
    rows_loaded: Generated<bigint>
    started_at: Timestamp
    completed_at: Date | null
  }
  "cdc.progress": {
    source: string
    generation: number
    lease_epoch: bigint
    position: bigint
    base_lsn: bigint
    last_end: bigint
    last_end_offset: bigint
    transactions: Generated<bigint>
    changes: Generated<bigint>
    heartbeat_at: Date | null
    applied_at: Timestamp
  }
  "cdc.resume_offsets": {
    source: string
    generation: number
    topic: string
    partition: number
    next_offset: bigint
  }
  "cdc.applied_xids": {
    source: string
    xid: bigint
    commit_lsn: bigint
    applied_at: Timestamp
  }
  "cdc.requests": {
    id: Generated<bigint>
    source: string
    kind: RequestKind
    arguments: ColumnType<unknown, string | undefined, never>
    state: Generated<RequestState>
    progress: ColumnType<unknown, string | undefined, string>
    error: string | null
    requested_by: string | null
    requested_at: Timestamp
    started_at: Date | null
    finished_at: Date | null
  }
  "cdc.projector_status": {
    source: string
    holder: string
    state: ProjectorState
    reason: string | null
    next_step: string | null
    detail: ColumnType<unknown, string | undefined, string>
    since: Timestamp
    updated_at: Timestamp
  }
  "cdc.dead_letters": {
    id: Generated<bigint>
    source: string
    generation: number
    topic: string
    partition: number
    kafka_offset: bigint
    record_key: Buffer | null
    record_value: Buffer | null
    record_headers: ColumnType<unknown, string, string>
    table_name: string
    row_key: string[] | null
    xid: bigint | null
    lsn: bigint | null
    commit_lsn: bigint | null
    previous_commit_lsn: bigint | null
    is_placed: boolean
    value_places: ColumnType<unknown, string | undefined, string>
    taken_places: ColumnType<unknown, string | undefined, string>
    code: string
    message: string
    state: Generated<DeadLetterState>
    attempts: Generated<number>
    last_error: string | null
    last_request: bigint | null
    parked_at: Timestamp
    resolved_at: Date | null
    published_at: Date | null
  }
  "cdc.outbox": {
    id: Generated<bigint>
    source: string
    aggregate: string
    number: string
    inferred: boolean
    type: string
    occurred_at: Date | null
    traceparent: string | null
    data: ColumnType<unknown, string | null, null>
    commit_lsn: bigint
    xid: bigint | null
    written_at: Timestamp
    published_at: Date | null
  }
  "cdc.operator_actions": {
    id: Generated<bigint>
    source: string
    at: Timestamp
    actor: string
    action: string
    detail: ColumnType<unknown, string | undefined, never>
  }
}
