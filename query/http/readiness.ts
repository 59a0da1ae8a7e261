// `/livez`: the process answers. `/readyz`: it can answer queries that mean something, which needs the database,
// a live generation, a projector at work and a heartbeat of the source that is not old. Every part says how it
// is, why, and what to do. Redis away makes reads slower, never wrong: that is `degraded`, not red.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import type pg from "pg"
import { formatLsn, toLsn } from "../cdc/lsn.ts"
import type { ReadCache } from "./cache.ts"

const check = z.object({
  state: z.enum(["ok", "degraded", "failed"]),
  reason: z.string().optional(),
  next_step: z.string().optional(),
  detail: z.record(z.string(), z.unknown()).optional(),
})
export type Check = z.infer<typeof check>

const readiness = z
  .object({ status: z.enum(["ready", "not-ready"]), checks: z.record(z.string(), check) })
  .openapi("Readiness")
const readinessContent = { "application/json": { schema: readiness } }

const livez = createRoute({
  method: "get",
  path: "/livez",
  summary: "Is the process alive?",
  responses: {
    200: {
      description: "It is.",
      content: { "application/json": { schema: z.object({ status: z.literal("live") }) } },
    },
  },
})

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Can it answer queries, and do the read models follow?",
  responses: {
    200: { description: "Yes.", content: readinessContent },
    503: { description: "Not now; the checks say why.", content: readinessContent },
  },
})

export type ReadinessDeps = {
  source: string
  reader: pg.Pool
  cache: ReadCache | null
  projectionVersion: string
  now: () => number
  /** Checks of what only the composition knows, by name. */
  readiness: () => Promise<Readonly<Record<string, Check>>>
}

const probeTimeoutMs = 2_000
const oldestStatusSeconds = 10
const oldestHeartbeatSeconds = 30

export function createReadinessRoutes(deps: ReadinessDeps): OpenAPIHono {
  const routes = new OpenAPIHono()
  routes.openapi(livez, (c) => c.json({ status: "live" as const }, 200))
  routes.openapi(readyz, async (c) => {
    const [own, others] = await Promise.all([readModelChecks(deps), deps.readiness()])
    const checks = { ...own, redis: redisCheck(deps.cache), ...others }
    const ready = Object.values(checks).every(({ state }) => state !== "failed")
    c.header("Cache-Control", "no-store")
    return ready
      ? c.json({ status: "ready" as const, checks }, 200)
      : c.json({ status: "not-ready" as const, checks }, 503)
  })
  return routes
}

type StatusRow = {
  generation: number | null
  projection_version: string | null
  position: bigint | null
  heartbeat_at: Date | null
  state: string | null
  reason: string | null
  next_step: string | null
  detail: Record<string, unknown> | null
  status_age_seconds: number | null
}

async function readModelChecks(deps: ReadinessDeps): Promise<Record<string, Check>> {
  const startedAt = performance.now()
  let row: StatusRow | undefined
  try {
    row = await readStatus(deps)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no answer in time"
    return { database: { state: "failed", reason: `The query database cannot be reached (${code}).` } }
  }
  return {
    database: { state: "ok", detail: { ms: Math.round(performance.now() - startedAt) } },
    generation: generationCheck(row, deps.projectionVersion),
    projector: projectorCheck(row),
    heartbeat: heartbeatCheck(row, deps.now()),
  }
}

async function readStatus({ source, reader }: ReadinessDeps): Promise<StatusRow | undefined> {
  const timedOut = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error("timed out")), probeTimeoutMs).unref()
  })
  const asked = reader.query<StatusRow>({
    name: "readiness",
    text: `
      select g.generation, g.projection_version, p.position, p.heartbeat_at,
        t.state, t.reason, t.next_step, t.detail,
        extract(epoch from clock_timestamp() - t.updated_at)::float8 as status_age_seconds
      from (select $1::text as source) wanted
      left join cdc.sources s using (source)
      left join cdc.generations g on g.source = s.source and g.generation = s.live_generation
      left join cdc.progress p on p.source = s.source and p.generation = s.live_generation
      left join cdc.projector_status t on t.source = wanted.source`,
    values: [source],
  })
  return (await Promise.race([asked, timedOut])).rows[0]
}

function generationCheck(row: StatusRow | undefined, knownVersion: string): Check {
  if (!row || row.generation === null) {
    return { state: "failed", reason: "No generation is live: the read models are not loaded yet." }
  }
  const detail = {
    generation: row.generation,
    projection_version: row.projection_version,
    position: row.position === null ? null : formatLsn(toLsn(row.position)),
  }
  if (row.projection_version !== knownVersion) {
    return {
      state: "failed",
      reason: `The live generation has projection version ${row.projection_version}; this instance knows ${knownVersion}.`,
      next_step: "Run the version that made it, or rebuild: npm run projection:rebuild.",
      detail,
    }
  }
  return { state: "ok", detail }
}

function projectorCheck(row: StatusRow | undefined): Check {
  if (!row || row.state === null || row.status_age_seconds === null) {
    return { state: "failed", reason: "No projector has reported yet." }
  }
  const ageSeconds = Math.max(0, Math.round(row.status_age_seconds))
  const more = {
    ...(row.next_step === null ? {} : { next_step: row.next_step }),
    detail: { ...row.detail, state: row.state, age_seconds: ageSeconds },
  }
  if (ageSeconds > oldestStatusSeconds) {
    return { state: "failed", reason: `The projector has not reported for ${ageSeconds} s.`, ...more }
  }
  if (row.state === "following") return { state: "ok", ...more }
  // A load beside a generation that serves is a rebuild: reads are as good as the heartbeat says.
  if (row.state === "loading" && row.generation !== null) {
    return { state: "degraded", reason: row.reason ?? "The read models are being rebuilt.", ...more }
  }
  return { state: "failed", reason: row.reason ?? `The projector is ${row.state}.`, ...more }
}

function heartbeatCheck(row: StatusRow | undefined, now: number): Check {
  const at = row?.heartbeat_at?.getTime()
  if (at === undefined || !Number.isFinite(at)) {
    return { state: "failed", reason: "No heartbeat of the source has been applied yet." }
  }
  const ageSeconds = Math.max(0, Math.round((now - at) / 1_000))
  const detail = { age_seconds: ageSeconds }
  if (ageSeconds <= oldestHeartbeatSeconds) return { state: "ok", detail }
  return {
    state: "failed",
    reason: `The last heartbeat of the source that was applied is ${ageSeconds} s old: capture or the projector stands still.`,
    next_step: "Look at the projector above, then at the connector: npm run connectors:status.",
    detail,
  }
}

function redisCheck(cache: ReadCache | null): Check {
  if (!cache) return { state: "degraded", reason: "No cache is configured." }
  return cache.reachable()
    ? { state: "ok" }
    : { state: "degraded", reason: "Redis cannot be used; reads are slower." }
}
