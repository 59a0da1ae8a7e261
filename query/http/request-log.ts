// One log line per request, the request's id on every answer, and a closed connection after each answer once the
// service is stopping.
import type { MiddlewareHandler } from "hono"
import type { Logger } from "pino"

export function createRequestLog(deps: { log: Logger; isStopping: () => boolean }): MiddlewareHandler {
  return async (c, next) => {
    const startedAt = performance.now()
    await next()
    c.header("X-Request-Id", c.get("requestId"))
    if (deps.isStopping()) c.header("Connection", "close")
    const { method, path } = c.req
    const ms = Math.round((performance.now() - startedAt) * 10) / 10
    const { headers, status } = c.res
    const line = {
      requestId: c.get("requestId"),
      method,
      path,
      status,
      ms,
      position: headers.get("read-position") ?? undefined,
      cache: headers.get("cache-status") ?? undefined,
    }
    if (path === "/livez" || path.endsWith("/readyz") || path === "/status") deps.log.debug(line, "request")
    else deps.log.info(line, "request")
  }
}
