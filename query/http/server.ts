// The HTTP server under the app: it opens the port, and on stop it finishes the requests in flight within a limit.
import { createServer, type Server } from "node:http"
import { getRequestListener } from "@hono/node-server"

export type HttpServer = { url: string; stop: (timeoutMs: number) => Promise<void> }

/** Listens; rejects if the port is taken. Port 0 takes a free port. A slow sender is cut after 30 s. */
export async function listen(options: {
  fetch: (request: Request) => Response | Promise<Response>
  host: string
  port: number
}): Promise<HttpServer> {
  const listener = getRequestListener(options.fetch)
  const server = createServer(
    { requestTimeout: 30_000 },
    (incoming, outgoing) => void listener(incoming, outgoing),
  )
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(options.port, options.host, resolve)
  })
  const address = server.address()
  const port = typeof address === "object" && address ? address.port : options.port
  const host = options.host.includes(":") ? `[${options.host}]` : options.host
  return { url: `http://${host}:${port}`, stop: (timeoutMs) => stop(server, timeoutMs) }
}

/** Takes no new connection, lets requests end, and cuts the requests that have not ended in time. */
async function stop(server: Server, timeoutMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const deadline = setTimeout(() => server.closeAllConnections(), timeoutMs)
  await closed
  clearInterval(idle)
  clearTimeout(deadline)
}
