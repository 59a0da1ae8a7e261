// The HTTP application: the middleware that every request passes, all routes, and the answers when something fails.
// Nothing unexpected reaches a client: it gets a problem document, the log gets the error.
import { OpenAPIHono } from "@hono/zod-openapi"
import type { Context } from "hono"
import { HTTPException } from "hono/http-exception"
import { methodNotAllowed } from "hono/method-not-allowed"
import { requestId } from "hono/request-id"
import type { Kysely } from "kysely"
import type { Logger } from "pino"
import type { CommandDatabase } from "../db/command-schema.ts"
import { isUnavailable } from "../db/errors.ts"
import { type CustomerRouteDeps, createCustomerRoutes } from "./customers/routes.ts"
import { createDiscountRoutes, type DiscountRouteDeps } from "./discounts/routes.ts"
import { createErasureRoutes } from "./erasure/routes.ts"
import { type Executor, OutcomeUnknown } from "./execute/execute.ts"
import { limitBody } from "./http/body-limit.ts"
import { addDocsRoutes } from "./http/docs.ts"
import { createHealthRoutes } from "./http/health.ts"
import { faultResponse, HttpFault } from "./http/http-errors.ts"
import { createRequestLog } from "./http/request-log.ts"
import { refuseInvalid } from "./http/validation.ts"
import { createStockRoutes } from "./inventory/routes.ts"
import { createPaymentRoutes, type PaymentRouteDeps } from "./orders/http/payment-routes.ts"
import { createOrderRoutes, type OrderRouteDeps } from "./orders/http/routes.ts"
import { createShipmentRoutes } from "./orders/http/shipment-routes.ts"
import { createProductRoutes, type ProductRouteDeps } from "./products/routes.ts"
import { createQuoteRoutes } from "./quotes/routes.ts"
import { createShippingRuleRoutes, type ShippingRuleRouteDeps } from "./shipping-rules/routes.ts"
import { createTaxRateRoutes } from "./tax-rates/routes.ts"

export type AppDeps = OrderRouteDeps &
  CustomerRouteDeps &
  PaymentRouteDeps &
  ProductRouteDeps &
  DiscountRouteDeps &
  ShippingRuleRouteDeps & {
    db: Kysely<CommandDatabase>
    executor: Executor
    isStopping: () => boolean
    logger: Logger
  }

export function createApp(deps: AppDeps): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid })
  app.use(requestId())
  app.use(createRequestLog(deps))
  app.use(methodNotAllowed({ app, onMethodNotAllowed: (c, methods) => otherMethod(methods, c.req.path) }))
  app.use(limitBody)
  app.route("/", createOrderRoutes(deps))
  app.route("/", createPaymentRoutes(deps))
  app.route("/", createShipmentRoutes(deps))
  app.route("/", createCustomerRoutes(deps))
  app.route("/", createErasureRoutes(deps))
  app.route("/", createProductRoutes(deps))
  app.route("/", createQuoteRoutes(deps))
  app.route("/", createDiscountRoutes(deps))
  app.route("/", createShippingRuleRoutes(deps))
  app.route("/", createTaxRateRoutes(deps))
  app.route("/", createStockRoutes(deps))
  app.route("/", createHealthRoutes(deps))
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: { title: "Lockstep command service", version: "1" },
    security: [],
  })
  addDocsRoutes(app, "Lockstep command service")
  app.notFound((c) =>
    faultResponse(new HttpFault("route-not-found", "There is nothing at this path."), c.req.path),
  )
  app.onError((error, c) => {
    const fault = toFault(error, c)
    if (fault.code === "internal-error" || fault.code === "outcome-unknown") {
      deps.logger.error({ err: error, requestId: c.get("requestId") }, fault.message)
    } else if (fault.code === "database-unavailable") {
      deps.logger.warn({ err: error, requestId: c.get("requestId") }, fault.message)
    }
    return faultResponse(fault, c.req.path)
  })
  return app
}

function toFault(error: Error, c: Context): HttpFault {
  if (error instanceof HttpFault) return error
  if (error instanceof OutcomeUnknown) {
    return new HttpFault(
      "outcome-unknown",
      "The connection to the database was lost while committing: the command may have been applied or not. " +
        "If it carried an Idempotency-Key, send it again with the same key.",
    )
  }
  if (isUnavailable(error)) {
    return new HttpFault("database-unavailable", "The command was not applied. Try again shortly.")
  }
  if (c.req.raw.signal.aborted) return new HttpFault("request-aborted", "The request ended early.")
  if (error instanceof HTTPException && error.status < 500) {
    return new HttpFault("malformed-json", "The request could not be read.")
  }
  return new HttpFault("internal-error", "The command was not applied. The log has the reason.")
}

/** 405: the path has routes for other methods. HEAD goes with GET and is not named. */
function otherMethod(allowed: readonly string[], path: string): Response {
  const methods = allowed.filter((method) => method !== "HEAD").join(", ")
  const fault = new HttpFault("method-not-allowed", `This path takes ${methods}.`, {
    headers: { Allow: methods },
  })
  return faultResponse(fault, path)
}
