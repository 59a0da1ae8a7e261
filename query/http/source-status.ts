// The state of the sources as the query database tells it, in one statement: the holder of the lease, the work or the
// wait of the projector, the generation that serves and its position, the open requests of operators. `/readyz` judges
// this state, `/status` shows it. The read ends within 2 s whatever the database does.
import type pg from "pg"
import { ReadProblem } from "./problem.ts"

export type SourceStatus = {
  source: string
  epoch: number | null
  history: string | null
  holder: string | null
  lease_epoch: bigint | null
  /** Below 0 when the lease has run out. */
  lease_seconds: number | null
  generation: number | null
  projection_version: string | null
  position: bigint | null
  base_lsn: bigint | null
  heartbeat_at: Date | null
  applied_age_seconds: number | null
  state: string | null
  reason: string | null
  next_step: string | null
  detail: Record<string, unknown> | null
  since: Date | null
  status_age_seconds: number | null
  requests: OpenRequest[]
  /** Dead letters of the generation that serves, in the state `parked`. */
  dead_letters: number
  oldest_dead_letter_at: Date | null
  /** Domain events that are not published yet. */
  events_waiting: number
  /** How long the oldest of these events has waited; null when no event waits. */
  events_waiting_seconds: number | null
}

export type OpenRequest = {
  id: string
  kind: string
  state: string
  requested_at: string
  started_at: string | null
}

const timeoutMs = 2_000

/** One status per source, in the order given. @throws when the database does not answer within `timeoutMs`. */
export async function readSourceStatus(reader: pg.Pool, sources: readonly string[]): Promise<SourceStatus[]> {
  let timer: NodeJS.Timeout | undefined
  const timedOut = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooLate()), timeoutMs)
  })
  try {
    const asked = reader.query<SourceStatus>({ name: "source status", text: statement, values: [sources] })
    return (await Promise.race([asked, timedOut])).rows
  } finally {
    clearTimeout(timer)
  }
}

const tooLate = () =>
  new ReadProblem("database-unavailable", "The query database does not answer. Try again shortly.")

const secondsFrom = (from: string, to: string): string => `extract(epoch from ${to} - ${from})::float8`

const statement = `
  select wanted.source, s.epoch, s.system_identifier || '-' || s.timeline as history,
    l.holder, l.lease_epoch, ${secondsFrom("clock_timestamp()", "l.expires_at")} as lease_seconds,
    g.generation, g.projection_version, p.position, p.base_lsn, p.heartbeat_at,
    ${secondsFrom("p.applied_at", "clock_timestamp()")} as applied_age_seconds,
    t.state, t.reason, t.next_step, t.detail, t.since,
    ${secondsFrom("t.updated_at", "clock_timestamp()")} as status_age_seconds,
    coalesce(r.requests, '[]') as requests, d.dead_letters, d.oldest_dead_letter_at,
    e.events_waiting, e.events_waiting_seconds
  from unnest($1::text[]) with ordinality wanted (source, place)
  left join cdc.sources s on s.source = wanted.source
  left join cdc.leases l on l.source = wanted.source
  left join cdc.generations g on g.source = s.source and g.generation = s.live_generation
  left join cdc.progress p on p.source = s.source and p.generation = s.live_generation
  left join cdc.projector_status t on t.source = wanted.source
  left join lateral (
    select json_agg(json_build_object('id', r.id::text, 'kind', r.kind, 'state', r.state,
      'requested_at', r.requested_at, 'started_at', r.started_at) order by r.id) as requests
    from cdc.requests r where r.source = wanted.source and r.state in ('pending', 'running')
  ) r on true
  left join lateral (
    select count(*)::integer as dead_letters, min(d.parked_at) as oldest_dead_letter_at
    from cdc.dead_letters d
    where d.source = wanted.source and d.generation = s.live_generation and d.state = 'parked'
  ) d on true
  left join lateral (
    select count(*)::integer as events_waiting,
      ${secondsFrom("min(e.written_at)", "clock_timestamp()")} as events_waiting_seconds
    from cdc.outbox e where e.source = wanted.source and e.published_at is null
  ) e on true
  order by wanted.place`
