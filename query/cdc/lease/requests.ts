// What operators ask of the projector. Only the lease holder writes generation tables, so a request is a row that
// it executes between batches, with its progress on the row. What people did to the read side is kept beside it.
import { type Kysely, sql } from "kysely"
import type { QueryDatabase, RequestKind, RequestState } from "../../../db/query-schema.ts"
import { type LeaseRef, underLease } from "./lease.ts"

export type Request = {
  id: bigint
  state: RequestState
  progress: unknown
  error: string | null
}

/** Asks for a rebuild. @returns the request's id; an unfinished one is joined instead of asking twice. */
export async function requestRebuild(
  db: Kysely<QueryDatabase>,
  source: string,
  requestedBy: string | null,
): Promise<{ id: bigint; joined: boolean }> {
  return await db.transaction().execute(async (trx) => {
    // Two that ask at once must not both find none.
    await sql`select pg_advisory_xact_lock(hashtext(${`rebuild ${source}`}))`.execute(trx)
    const open = await trx
      .selectFrom("cdc.requests")
      .select("id")
      .where("source", "=", source)
      .where("kind", "=", "rebuild")
      .where("state", "in", ["pending", "running"])
      .forUpdate()
      .executeTakeFirst()
    if (open) return { id: open.id, joined: true }
    const made = await trx
      .insertInto("cdc.requests")
      .values({
        source,
        kind: "rebuild",
        requested_by: requestedBy,
        error: null,
        started_at: null,
        finished_at: null,
      })
      .returning("id")
      .executeTakeFirstOrThrow()
    return { id: made.id, joined: false }
  })
}

/** Asks for something to be done with dead letters. @returns the request's id. */
export async function requestDeadLetters(
  db: Kysely<QueryDatabase>,
  request: { source: string; kind: "redrive" | "discard"; arguments: unknown; requestedBy: string | null },
): Promise<bigint> {
  const { id } = await db
    .insertInto("cdc.requests")
    .values({
      source: request.source,
      kind: request.kind,
      arguments: JSON.stringify(request.arguments),
      requested_by: request.requestedBy,
      error: null,
      started_at: null,
      finished_at: null,
    })
    .returning("id")
    .executeTakeFirstOrThrow()
  return id
}

export async function readRequest(db: Kysely<QueryDatabase>, id: bigint): Promise<Request | null> {
  const row = await db
    .selectFrom("cdc.requests")
    .select(["id", "state", "progress", "error"])
    .where("id", "=", id)
    .executeTakeFirst()
  return row ?? null
}

export type OpenRequest = {
  id: bigint
  kind: RequestKind
  arguments: unknown
  progress: unknown
  requestedBy: string | null
}

/** The oldest request that is not finished; one that a dead holder was running counts and is run again. */
export async function findOpenRequest(
  db: Kysely<QueryDatabase>,
  source: string,
): Promise<OpenRequest | null> {
  const row = await db
    .selectFrom("cdc.requests")
    .select(["id", "kind", "arguments", "progress", "requested_by"])
    .where("source", "=", source)
    .where("state", "in", ["pending", "running"])
    .orderBy("id")
    .limit(1)
    .executeTakeFirst()
  if (!row) return null
  const { id, kind, progress } = row
  return { id, kind, arguments: row.arguments, progress, requestedBy: row.requested_by }
}

/**
 * Tells how the request stands.
 * @throws EngineError (retry) when the lease is another's, who then executes the request himself.
 */
export async function updateRequest(
  db: Kysely<QueryDatabase>,
  lease: LeaseRef,
  id: bigint,
  change: { state?: RequestState; progress?: unknown; error?: string },
): Promise<void> {
  const finished = change.state === "done" || change.state === "failed"
  await underLease(db, lease, async (trx) => {
    await trx
      .updateTable("cdc.requests")
      .set({
        ...(change.state ? { state: change.state } : {}),
        ...(change.progress === undefined ? {} : { progress: JSON.stringify(change.progress) }),
        ...(change.error === undefined ? {} : { error: change.error }),
        ...(change.state === "running" ? { started_at: new Date() } : {}),
        ...(finished ? { finished_at: new Date() } : {}),
      })
      .where("id", "=", id)
      .execute()
  })
}

/** Keeps who did what, when and how it ended. No such row is ever removed. */
export async function noteOperatorAction(
  db: Kysely<QueryDatabase>,
  action: { source: string; actor: string; action: string; detail: object },
): Promise<void> {
  await db
    .insertInto("cdc.operator_actions")
    .values({ ...action, detail: JSON.stringify(action.detail) })
    .execute()
}
