// `GET /status`: the state of every source of this installation, as any instance can tell it from the database, and the
// role of this instance. `/status` is for people and programs that watch, `/readyz` for programs that route.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import type pg from "pg"
import { formatLsn, toLsn } from "../cdc/vocabulary/lsn.ts"
import { momentaryHeaders, plainProblems } from "./problem-answers.ts"
import { heartbeatAgeSeconds } from "./source-checks.ts"
import { readSourceStatus, type SourceStatus } from "./source-status.ts"

const seconds = z.number().nullable()

const sourceStatus = z
  .object({
    source: z.string(),
    epoch: z.number().nullable(),
    history: z.string().nullable().openapi({ description: "The source's system identifier and timeline." }),
    lease: z
      .object({
        holder: z.string(),
        lease_epoch: z.number(),
        seconds_left: z
          .number()
          .openapi({ description: "By the query database's clock; 0 when the lease ran out." }),
        held_here: z.boolean().openapi({ description: "Whether the holder is this instance." }),
      })
      .nullable(),
    projector: z
      .object({
        state: z.string().openapi({ example: "following" }),
        reason: z.string().nullable(),
        next_step: z.string().nullable(),
        since: z.string(),
        reported_seconds_ago: z.number(),
        detail: z.record(z.string(), z.unknown()),
      })
      .nullable(),
    generation: z.number().nullable(),
    projection_version: z.string().nullable(),
    position: z.string().nullable().openapi({ example: "0/1C50568" }),
    base: z.string().nullable().openapi({ description: "The commit LSN that the base load stands for." }),
    heartbeat_age_seconds: seconds.openapi({
      description: "Age of the last heartbeat, which has the source's clock; at least 0.",
    }),
    applied_age_seconds: seconds.openapi({ description: "Time since the last apply." }),
    requests: z.array(
      z.object({
        id: z.string(),
        kind: z.string(),
        state: z.string(),
        requested_at: z.string(),
        started_at: z.string().nullable(),
      }),
    ),
    dead_letters: z.object({
      parked: z.number().openapi({ description: "Dead letters: row changes that the read models lack." }),
      oldest_parked_at: z.string().nullable(),
    }),
    events: z.object({
      waiting: z.number().openapi({ description: "Domain events that are not published yet." }),
      oldest_waiting_seconds: z.number().nullable(),
    }),
  })
  .openapi("SourceStatus")

const status = z
  .object({ role: z.enum(["all", "http", "projector"]), sources: z.array(sourceStatus) })
  .openapi("Status")

const getStatus = createRoute({
  method: "get",
  path: "/status",
  summary: "The state of every source: lease, projector, generation, position, open requests",
  responses: {
    200: {
      description: "The state as of now.",
      headers: momentaryHeaders,
      content: { "application/json": { schema: status } },
    },
    ...plainProblems(["database-unavailable"]),
  },
})

export type StatusDeps = {
  role: z.infer<typeof status>["role"]
  /** `holder` is the name under which this instance takes the lease, or null if it never takes the lease. */
  sources: readonly { source: string; holder: string | null }[]
  reader: pg.Pool
  now: () => number
}

export function addStatusRoute(app: OpenAPIHono, deps: StatusDeps): void {
  const { role, sources, reader, now } = deps
  app.openapi(getStatus, async (c) => {
    const names = sources.map(({ source }) => source)
    const found = await readSourceStatus(reader, names)
    c.header("Cache-Control", "no-store")
    const shown = found.map((one, index) => show(one, sources[index]?.holder ?? null, now()))
    return c.json({ role, sources: shown }, 200)
  })
}

function show(one: SourceStatus, ownHolder: string | null, now: number): z.infer<typeof sourceStatus> {
  return {
    source: one.source,
    epoch: one.epoch,
    history: one.history,
    lease: one.holder === null ? null : lease(one, one.holder, ownHolder),
    projector: one.state === null ? null : projector(one, one.state),
    generation: one.generation,
    projection_version: one.projection_version,
    position: shownLsn(one.position),
    base: shownLsn(one.base_lsn),
    heartbeat_age_seconds: heartbeatAgeSeconds(one, now),
    applied_age_seconds: one.applied_age_seconds === null ? null : tenths(one.applied_age_seconds),
    requests: one.requests,
    dead_letters: {
      parked: one.dead_letters,
      oldest_parked_at: one.oldest_dead_letter_at?.toISOString() ?? null,
    },
    events: {
      waiting: one.events_waiting,
      oldest_waiting_seconds: one.events_waiting_seconds === null ? null : tenths(one.events_waiting_seconds),
    },
  }
}

const lease = ({ lease_epoch, lease_seconds }: SourceStatus, holder: string, ownHolder: string | null) => ({
  holder,
  lease_epoch: Number(lease_epoch),
  seconds_left: tenths(lease_seconds ?? 0),
  held_here: holder === ownHolder,
})

const projector = (one: SourceStatus, state: string) => ({
  state,
  reason: one.reason,
  next_step: one.next_step,
  since: one.since?.toISOString() ?? "",
  reported_seconds_ago: tenths(one.status_age_seconds ?? 0),
  detail: one.detail ?? {},
})

const shownLsn = (lsn: bigint | null): string | null => (lsn === null ? null : formatLsn(toLsn(lsn)))

/** Never below 0: clocks may differ. */
const tenths = (seconds: number): number => Math.max(0, Math.round(seconds * 10) / 10)
