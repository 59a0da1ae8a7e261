// The HTTP side of the query service: what every request passes, all routes, and what is answered when
// something fails. It holds no state of its own beyond the cache's and can run in any number of instances.
// Nothing unexpected reaches a client: it gets a problem document, the log gets the error.
import { OpenAPIHono } from "@hono/zod-openapi"
import { HTTPException } from "hono/http-exception"
import { methodNotAllowed } from "hono/method-not-allowed"
import { requestId } from "hono/request-id"
import type pg from "pg"
import type { Logger } from "pino"
import { isUnavailable } from "../db/errors.ts"
import type { Role } from "./config.ts"
import type { ReadCache } from "./http/cache.ts"
import { addDocsRoutes } from "./http/docs.ts"
import { refuseInvalid } from "./http/parameters.ts"
import type { PositionSignal } from "./http/position-signal.ts"
import { problemResponse, ReadProblem } from "./http/problem.ts"
import { addLivenessRoute, addReadinessRoute, type ReadinessSource } from "./http/readiness.ts"
import { createReads } from "./http/reads.ts"
import { createRequestLog } from "./http/request-log.ts"
import { createSnapshotReader } from "./http/snapshot.ts"
import type { Checks } from "./http/source-checks.ts"
import { addSourcesRoute, sourcePath } from "./http/sources.ts"
import { addStatusRoute } from "./http/status.ts"
import { addAnalyticsRoute } from "./orders/analytics.ts"
import { addCohortRoute } from "./orders/cohorts.ts"
import { addCustomerRoutes } from "./orders/customer.ts"
import { addCustomerLookUpRoute } from "./orders/customer-look-up.ts"
import { addHistoryRoute } from "./orders/history.ts"
import { addInventoryRoutes } from "./orders/inventory.ts"
import { addOrderRoute } from "./orders/order.ts"
import { addOrderListRoute } from "./orders/order-list.ts"
import { addProductSalesRoutes } from "./orders/product-sales.ts"
import { addProductRoutes } from "./orders/products.ts"
import { orderProjections } from "./orders/projections.ts"

export type AppDeps = {
  role: Role
  /** The first one also answers at the root. */
  sources: readonly AppSource[]
  /** Connections as role reader; in role `projector`, which serves no read models, as role projector. */
  reader: pg.Pool
  log: Logger
  isStopping?: () => boolean
  /** Milliseconds since 1970. */
  now?: () => number
}

export type AppSource = {
  source: string
  /** Null in role `projector`. Its cache may be null to do without. */
  reading: { cache: ReadCache | null; positions: PositionSignal } | null
  /** Name under which this instance takes the lease; null in role `http`. */
  holder: string | null
  /** Further checks of `/readyz`, by name: of what only the composition knows. */
  readiness: () => Promise<Checks>
}

export function createApp(deps: AppDeps): OpenAPIHono {
  const { log, sources } = deps
  const now = deps.now ?? Date.now
  const all = { ...deps, now, projectionVersion: orderProjections.version }

  const app = new OpenAPIHono({ defaultHook: refuseInvalid })
  app.use(requestId())
  app.use(createRequestLog({ log, isStopping: deps.isStopping ?? (() => false) }))
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (c, methods) => otherMethod(methods, c.req.path) }))
  sources.forEach((source, index) => {
    if (!source.reading) return
    const routes = readModelRoutes(all, source, source.reading)
    if (index === 0) app.route("/", routes)
    app.route(sourcePath(source.source), routes)
    const health = new OpenAPIHono()
    addReadinessRoute(health, { ...all, sources: [toReadiness(source)] })
    app.route(sourcePath(source.source), health)
  })
  if (deps.role !== "projector") addSourcesRoute(app, sources)
  addLivenessRoute(app)
  addReadinessRoute(app, { ...all, sources: sources.map(toReadiness) })
  addStatusRoute(app, all)
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "Lockstep query service", version: "1" },
    security: [],
  })
  addDocsRoutes(app, "Lockstep query service")
  app.notFound((c) =>
    problemResponse(new ReadProblem("route-not-found", "There is nothing at this path."), c.req.path),
  )
  app.onError((error, c) => {
    const problem = toProblem(error)
    const context = { err: error, requestId: c.get("requestId") }
    if (problem.code === "internal-error") log.error(context, problem.message)
    else if (problem.code === "database-unavailable") log.warn(context, problem.message)
    return problemResponse(problem, c.req.path)
  })
  return app
}

type Composed = AppDeps & { now: () => number; projectionVersion: string }

/** Every question that one source's read models answer. */
function readModelRoutes(
  { reader, now, projectionVersion }: Composed,
  { source }: AppSource,
  reading: NonNullable<AppSource["reading"]>,
): OpenAPIHono {
  const snapshots = createSnapshotReader({ source, pool: reader, projectionVersion })
  const reads = createReads({ ...reading, source, snapshots, now })
  const routes = new OpenAPIHono({ defaultHook: refuseInvalid })
  addOrderRoute(routes, reads)
  addOrderListRoute(routes, reads)
  addHistoryRoute(routes, reads)
  addCustomerLookUpRoute(routes, reads)
  addCustomerRoutes(routes, reads)
  addProductRoutes(routes, reads)
  addProductSalesRoutes(routes, reads, now)
  addInventoryRoutes(routes, reads)
  addAnalyticsRoute(routes, reads, now)
  addCohortRoute(routes, reads, now)
  return routes
}

const toReadiness = ({ source, reading, readiness }: AppSource): ReadinessSource => ({
  source,
  cache: reading?.cache,
  readiness,
})

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

/** 405: the path has routes for other methods. */
function otherMethod(methods: readonly string[], path: string): Response {
  const problem = new ReadProblem("method-not-allowed", `This path takes ${methods.join(" and ")}.`, {
    headers: { Allow: methods.join(", ") },
  })
  return problemResponse(problem, path)
}
