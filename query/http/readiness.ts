// `/livez`: the process answers. `/readyz`: it can answer queries that mean something, which needs the database and,
// for each source, a live generation, a projector at work and a heartbeat that is not old. Redis away makes reads
// slower, never wrong: that is `degraded`, not red. With several sources the checks of each carry its name.
import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi"
import type pg from "pg"
import type { ReadCache } from "./cache.ts"
import { ReadProblem } from "./problem.ts"
import { anyHeaders, momentaryHeaders, plainProblems } from "./problem-answers.ts"
import { type Check, type Checks, check, sourceChecks } from "./source-checks.ts"
import { readSourceStatus } from "./source-status.ts"

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
      headers: anyHeaders,
      content: { "application/json": { schema: z.object({ status: z.literal("live") }) } },
    },
    ...plainProblems(),
  },
})

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Can it answer queries, and do the read models follow?",
  responses: {
    ...plainProblems(),
    200: { description: "Yes.", headers: momentaryHeaders, content: readinessContent },
    503: {
      description: "Not now; the checks say why.",
      headers: momentaryHeaders,
      content: readinessContent,
    },
  },
})

export type ReadinessSource = {
  source: string
  /** Undefined where this instance answers no queries; null where it does so without a cache. */
  cache: ReadCache | null | undefined
  /** Checks of what only the composition knows, by name. */
  readiness: () => Promise<Checks>
}

export type ReadinessDeps = {
  sources: readonly ReadinessSource[]
  reader: pg.Pool
  projectionVersion: string
  now: () => number
}

export function addLivenessRoute(app: OpenAPIHono): void {
  app.openapi(livez, (c) => c.json({ status: "live" as const }, 200))
}

/** Of one source or of all that an instance has. */
export function addReadinessRoute(app: OpenAPIHono, deps: ReadinessDeps): void {
  app.openapi(readyz, async (c) => {
    const checks = await allChecks(deps)
    const ready = Object.values(checks).every(({ state }) => state !== "failed")
    c.header("Cache-Control", "no-store")
    return ready
      ? c.json({ status: "ready" as const, checks }, 200)
      : c.json({ status: "not-ready" as const, checks }, 503)
  })
}

async function allChecks(deps: ReadinessDeps): Promise<Checks> {
  const { sources } = deps
  const named = (source: string, checks: Checks): Checks =>
    sources.length === 1
      ? checks
      : Object.fromEntries(Object.entries(checks).map(([name, one]) => [`${source}.${name}`, one]))
  const parts = await Promise.all([
    readModelChecks(deps, named),
    ...sources.map(async ({ source, cache, readiness: others }) =>
      named(source, { ...(cache === undefined ? {} : { redis: redisCheck(cache) }), ...(await others()) }),
    ),
  ])
  return together(parts)
}

const together = (parts: readonly Checks[]): Checks =>
  Object.fromEntries(parts.flatMap(Object.entries<Check>))

async function readModelChecks(
  { sources, reader, projectionVersion, now }: ReadinessDeps,
  named: (source: string, checks: Checks) => Checks,
): Promise<Checks> {
  const startedAt = performance.now()
  try {
    const names = sources.map(({ source }) => source)
    const statuses = await readSourceStatus(reader, names)
    const database: Check = { state: "ok", detail: { ms: Math.round(performance.now() - startedAt) } }
    const judged = statuses.map((status) =>
      named(status.source, sourceChecks(status, projectionVersion, now())),
    )
    return together([{ database }, ...judged])
  } catch (error) {
    const hasCode = error instanceof Error && "code" in error && !(error instanceof ReadProblem)
    const code = hasCode ? String(error.code) : "no answer in time"
    return { database: { state: "failed", reason: `The query database cannot be reached (${code}).` } }
  }
}

function redisCheck(cache: ReadCache | null): Check {
  if (!cache) return { state: "degraded", reason: "No cache is configured." }
  return cache.reachable()
    ? { state: "ok" }
    : { state: "degraded", reason: "Redis cannot be used; reads are slower." }
}
