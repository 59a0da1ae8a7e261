// One log line per request, the request's id on every answer, and a closed connection after each answer once the
// service is stopping.
import type { MiddlewareHandler } from "hono"
import type { Logger } from "pino"

export function createRequestLog(deps: { logger: Logger; isStopping: () => boolean }): MiddlewareHandler {
  return async (c, next) => {
    const startedAt = performance.now()
    await next()
    c.header("X-Request-Id", c.get("requestId"))
    if (deps.isStopping()) c.header("Connection", "close")
    const { method, path } = c.req
    const ms = Math.round((performance.now() - startedAt) * 10) / 10
    const line = { requestId: c.get("requestId"), method, path, status: c.res.status, ms }
    if (path === "/livez" || path === "/readyz") deps.logger.debug(line, "request")
    else deps.logger.info(line, "request")
  }
}
