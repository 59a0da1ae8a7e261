// The HTTP side of the query service: what every request passes, all routes, and what is answered when
// something fails. It holds no state of its own beyond the cache's and can run in any number of instances.
// Nothing unexpected reaches a client: it gets a problem document, the log gets the error.
import { OpenAPIHono } from "@hono/zod-openapi"
import type { Context } from "hono"
import { HTTPException } from "hono/http-exception"
import { requestId } from "hono/request-id"
import type pg from "pg"
import type { Logger } from "pino"
import { addAnalyticsRoute } from "../orders/analytics.ts"
import { addCustomerRoutes } from "../orders/customer.ts"
import { addHistoryRoute } from "../orders/history.ts"
import { addOrderRoute } from "../orders/order.ts"
import { addOrderListRoute } from "../orders/order-list.ts"
import { orderProjections } from "../orders/projections.ts"
import type { ReadCache } from "./cache.ts"
import { isUnavailable } from "./database-errors.ts"
import { refuseInvalid } from "./parameters.ts"
import type { PositionSignal } from "./position-signal.ts"
import { problemResponse, ReadProblem } from "./problem.ts"
import { type Check, createReadinessRoutes } from "./readiness.ts"
import { createReads } from "./reads.ts"
import { createRequestLog } from "./request-log.ts"
import { createSnapshotReader } from "./snapshot.ts"

export type AppDeps = {
  source: string
  /** Connections as role reader. */
  reader: pg.Pool
  /** Null to do without. */
  cache: ReadCache | null
  positions: PositionSignal
  log: Logger
  /** Further checks of `/readyz`, by name: of what only the composition knows. */
  readiness: () => Promise<Readonly<Record<string, Check>>>
  isStopping?: () => boolean
  /** Milliseconds since 1970. */
  now?: () => number
}

export function createApp(deps: AppDeps): OpenAPIHono {
  const { log } = deps
  const now = deps.now ?? Date.now
  const projectionVersion = orderProjections.version
  const snapshots = createSnapshotReader({ source: deps.source, pool: deps.reader, projectionVersion })
  const reads = createReads({ ...deps, snapshots, now })

  const app = new OpenAPIHono({ defaultHook: refuseInvalid })
  app.use(requestId())
  app.use(createRequestLog({ log, isStopping: deps.isStopping ?? (() => false) }))
  addOrderRoute(app, reads)
  addOrderListRoute(app, reads)
  addHistoryRoute(app, reads)
  addCustomerRoutes(app, reads)
  addAnalyticsRoute(app, reads, now)
  app.route("/", createReadinessRoutes({ ...deps, projectionVersion, now }))
  app.doc31("/openapi.json", { openapi: "3.1.0", info: { title: "Lockstep query service", version: "1" } })
  app.notFound((c) => problemResponse(notFound(app, c), c.req.path))
  app.onError((error, c) => {
    const problem = toProblem(error)
    const context = { err: error, requestId: c.get("requestId") }
    if (problem.code === "internal-error") log.error(context, problem.message)
    else if (problem.code === "database-unavailable") log.warn(context, problem.message)
    return problemResponse(problem, c.req.path)
  })
  return app
}

function toProblem(error: Error): ReadProblem {
  if (error instanceof ReadProblem) return error
  if (isUnavailable(error)) {
    return new ReadProblem("database-unavailable", "The query database does not answer. Try again shortly.")
  }
  if (error instanceof HTTPException && error.status < 500) {
    return new ReadProblem("invalid-request", "The request could not be read.")
  }
  return new ReadProblem("internal-error", "The log has the reason.")
}

/** 405 with `Allow` if the path exists for another method, else 404. */
function notFound(app: OpenAPIHono, c: Context): ReadProblem {
  const paths = app.openAPIRegistry.definitions.flatMap((definition) =>
    definition.type === "route" ? [definition.route.path] : [],
  )
  const exists = [...paths, "/openapi.json"].some((path) =>
    new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(c.req.path),
  )
  if (!exists) return new ReadProblem("route-not-found", "There is nothing at this path.")
  return new ReadProblem("method-not-allowed", "This path takes GET and HEAD.", {
    headers: { Allow: "GET, HEAD" },
  })
}
