// Writes the projector's status where every HTTP instance can read it, on every change and every other second, so an
// old row means a dead projector. No process writes over the lease holder: a former holder that has not noticed its
// loss, or a halted process, is heard only while no other process projects.
import { type Kysely, sql } from "kysely"
import type { ProjectorState, QueryDatabase } from "../../../db/query-schema.ts"

export type ProjectorStatus = {
  state: ProjectorState
  /** Why the projector does not simply follow; null when it follows. */
  reason: string | null
  /** The step that a person should take; only where waiting will not help. */
  nextStep: string | null
  detail: Readonly<Record<string, unknown>>
}

export async function writeProjectorStatus(
  db: Kysely<QueryDatabase>,
  source: string,
  holder: string,
  status: ProjectorStatus,
): Promise<void> {
  await sql`
    insert into cdc.projector_status as stored (source, holder, state, reason, next_step, detail)
    select ${source}, ${holder}, ${status.state}, ${status.reason}, ${status.nextStep},
      ${JSON.stringify(status.detail)}::jsonb
    where not exists (select from cdc.leases
                      where source = ${source} and holder <> ${holder} and expires_at > clock_timestamp())
    on conflict (source) do update set
      holder = excluded.holder, state = excluded.state, reason = excluded.reason, next_step = excluded.next_step,
      detail = excluded.detail, updated_at = clock_timestamp(),
      since = case when stored.state = excluded.state then stored.since else clock_timestamp() end`.execute(
    db,
  )
}

/** Confirms that this process is alive and its status unchanged; does nothing if another process reported since. */
export async function confirmProjectorStatus(
  db: Kysely<QueryDatabase>,
  source: string,
  holder: string,
): Promise<void> {
  await sql`
    update cdc.projector_status set updated_at = clock_timestamp()
    where source = ${source} and holder = ${holder}`.execute(db)
}

/** The state that was reported last, by any process. */
export async function readProjectorState(
  db: Kysely<QueryDatabase>,
  source: string,
): Promise<ProjectorState | null> {
  const row = await db
    .selectFrom("cdc.projector_status")
    .select("state")
    .where("source", "=", source)
    .executeTakeFirst()
  return row?.state ?? null
}
