// What the projector is doing, written where every HTTP instance can read it, on every change and every other second,
// so an old row means a dead projector. Nobody writes over the holder of the lease: a former one that has not noticed,
// or one that has halted, is heard only while nobody else projects.
import { type Kysely, sql } from "kysely"
import type { ProjectorState, QueryDatabase } from "../../../db/query-schema.ts"

export type ProjectorStatus = {
  state: ProjectorState
  /** Why it does not simply follow; null when it does. */
  reason: string | null
  /** What a person should do; only where waiting will not help. */
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

/** Says that this process is still there and its status as it was; does nothing if another one has reported since. */
export async function confirmProjectorStatus(
  db: Kysely<QueryDatabase>,
  source: string,
  holder: string,
): Promise<void> {
  await sql`
    update cdc.projector_status set updated_at = clock_timestamp()
    where source = ${source} and holder = ${holder}`.execute(db)
}

/** What was reported last, by whichever process. */
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
