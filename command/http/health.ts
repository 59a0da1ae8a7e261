// `/livez`: the process answers. `/readyz`: the service can take commands, so its database is reachable and writable
// and the service is not stopping.
import { createRoute, OpenAPIHono, z } from "@hono/zod-openapi"
import { type Kysely, sql } from "kysely"
import type { CommandDatabase } from "../../db/command-schema.ts"
import { anyHeaders, plainProblems } from "./problem-answers.ts"

const probeTimeoutMs = 2_000

const databaseDetail = z.object({
  reachable: z.boolean(),
  writable: z.boolean(),
  ms: z.number(),
  error: z.string().optional(),
})
const readiness = z
  .object({ status: z.enum(["ready", "not-ready"]), stopping: z.boolean(), database: databaseDetail })
  .openapi("Readiness")
const readinessContent = { "application/json": { schema: readiness } }

const livez = createRoute({
  method: "get",
  path: "/livez",
  summary: "Is the process alive?",
  responses: {
    200: {
      description: "The process is alive.",
      headers: anyHeaders,
      content: { "application/json": { schema: z.object({ status: z.literal("live") }) } },
    },
    ...plainProblems(),
  },
})

const readyz = createRoute({
  method: "get",
  path: "/readyz",
  summary: "Can the service take commands?",
  responses: {
    ...plainProblems(),
    200: { description: "The service can take commands.", headers: anyHeaders, content: readinessContent },
    503: {
      description: "The service cannot take commands now; the body says why.",
      headers: anyHeaders,
      content: readinessContent,
    },
  },
})

export function createHealthRoutes(deps: {
  db: Kysely<CommandDatabase>
  isStopping: () => boolean
}): OpenAPIHono {
  const routes = new OpenAPIHono()
  routes.openapi(livez, (c) => c.json({ status: "live" as const }, 200))
  routes.openapi(readyz, async (c) => {
    const stopping = deps.isStopping()
    const database = await probe(deps.db)
    return database.reachable && database.writable && !stopping
      ? c.json({ status: "ready" as const, stopping, database }, 200)
      : c.json({ status: "not-ready" as const, stopping, database }, 503)
  })
  return routes
}

async function probe(db: Kysely<CommandDatabase>): Promise<z.infer<typeof databaseDetail>> {
  const startedAt = performance.now()
  const elapsed = () => Math.round(performance.now() - startedAt)
  const timeout = AbortSignal.timeout(probeTimeoutMs)
  const timedOut = new Promise<never>((_, reject) => {
    timeout.addEventListener("abort", () => reject(new Error(`no answer within ${probeTimeoutMs} ms`)))
  })
  const answer = sql<{ writable: boolean }>`select not pg_is_in_recovery() as writable`.execute(db)
  try {
    const { rows } = await Promise.race([answer, timedOut])
    return { reachable: true, writable: rows[0]?.writable ?? false, ms: elapsed() }
  } catch (error) {
    return { reachable: false, writable: false, ms: elapsed(), error: reasonOf(error) }
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown"
  return "code" in error && typeof error.code === "string" ? error.code : error.message
}
