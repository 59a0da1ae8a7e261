// What the projector is doing, written where every HTTP instance can read it. Only the lease holder writes (or a
// projector that has halted), on every change and every other second, so an old row means a dead projector.
import { type Kysely, sql } from "kysely"
import type { ProjectorState, QueryDatabase } from "../../db/query-schema.ts"

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
    values (${source}, ${holder}, ${status.state}, ${status.reason}, ${status.nextStep}, ${JSON.stringify(status.detail)}::jsonb)
    on conflict (source) do update set
      holder = excluded.holder, state = excluded.state, reason = excluded.reason, next_step = excluded.next_step,
      detail = excluded.detail, updated_at = clock_timestamp(),
      since = case when stored.state = excluded.state then stored.since else clock_timestamp() end`.execute(
    db,
  )
}
