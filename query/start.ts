// Builds the query service in the order of the flow and closes it in reverse. The service starts without waiting for
// anything: until the first generation is loaded readiness is red and reads get 503. The role says which parts the
// service has: projectors, one per source, or the side that answers queries, or both.
import type pg from "pg"
import { type Logger, pino } from "pino"
import { clientConfig, createPool } from "../db/connect.ts"
import { createSockets, type Sockets } from "../db/half-open.ts"
import { createApp } from "./app.ts"
import type { Projections } from "./cdc/projection/projection.ts"
import { type Config, describeConfig } from "./config.ts"
import { createReadCache, type ReadCache } from "./http/cache.ts"
import { createPositionSignal, type PositionSignal } from "./http/position-signal.ts"
import { type HttpServer, listen } from "./http/server.ts"
import { orderProjections } from "./orders/projections.ts"
import { createProjecting, type Projecting } from "./start-projector.ts"

const stopTimeoutMs = 10_000
const goodbyeMs = 1_000

export type QueryService = {
  url: string
  /** Ends requests in flight, then the projectors, and lets their leases go. */
  stop: () => Promise<void>
  /** Resolves when every projector has halted and the settings say that the process shall end then. */
  halted: Promise<void>
}

/** Resolves when the port is open. */
export async function start(
  config: Config,
  projections: Projections = orderProjections,
): Promise<QueryService> {
  const log = pino({ level: config.logLevel, base: { service: "query" } })
  const { projectors, halted } = createProjectors(config, projections, log)
  const sockets = createSockets()
  const reader = createReaderPool(config, sockets, log)
  const readings = new Map(
    config.sources.map((source) => [source, createReading({ config, source, reader, sockets, log })]),
  )
  let stopping = false
  const app = createApp({
    role: config.role,
    sources: config.sources.map((source) => ({
      source,
      reading: readings.get(source) ?? null,
      holder: projectors.get(source)?.holder ?? null,
      readiness: projectors.get(source)?.readiness ?? (async () => ({})),
    })),
    reader,
    log,
    isStopping: () => stopping,
  })
  const reading = [...readings.values()].filter((one) => one !== null)
  const close = async (): Promise<void> => {
    await Promise.all([...projectors.values()].map((projecting) => projecting.stop()))
    for (const { cache } of reading) cache.stop()
    // The stop does not wait for a server that leaves the goodbye unanswered.
    setTimeout(() => sockets.breakAll("the service stops"), goodbyeMs).unref()
    await reader.end()
  }
  let server: HttpServer
  try {
    server = await listen({ fetch: app.fetch, host: config.host, port: config.port })
  } catch (error) {
    await close()
    throw error
  }
  for (const { positions, cache } of reading) {
    positions.start()
    cache.start()
  }
  for (const projecting of projectors.values()) projecting.start()
  log.info({ url: server.url, config: describeConfig(config) }, "answering queries")

  let stopped: Promise<void> | undefined
  return {
    url: server.url,
    halted,
    stop: () => {
      stopping = true
      // Readers that wait for a position are answered first, so that the server need not wait for them.
      stopped ??= Promise.all(reading.map(({ positions }) => positions.stop()))
        .then(() => server.stop(stopTimeoutMs))
        .then(close)
        .then(() => log.info("stopped"))
      return stopped
    },
  }
}

function createProjectors(
  { projecting: config, redisUrl }: Config,
  projections: Projections,
  log: Logger,
): { projectors: Map<string, Projecting>; halted: Promise<void> } {
  const projectors = new Map<string, Projecting>()
  const sources = config?.sources ?? []
  const haltedSources = new Set<string>()
  let end = (): void => {}
  const halted = new Promise<void>((resolve) => {
    end = resolve
  })
  for (const source of sources) {
    const onHalted = (isHalted: boolean): void => {
      if (isHalted) haltedSources.add(source.name)
      else haltedSources.delete(source.name)
      // While another source is followed the process has work to do; a halted projector waits for a request.
      if (config?.onHalt === "exit" && haltedSources.size === sources.length) end()
    }
    if (!config) continue
    const projecting = createProjecting({ config, source, projections, redisUrl, onHalted, log })
    projectors.set(source.name, projecting)
  }
  return { projectors, halted }
}

/** In role `projector`, which answers no queries, the pool only reads the state of the sources. */
function createReaderPool({ serving, projecting }: Config, sockets: Sockets, log: Logger): pg.Pool {
  return createPool({
    url: serving?.databaseUrl ?? projecting?.databaseUrl ?? "",
    applicationName: serving ? "lockstep-reader" : "lockstep-status",
    maxConnections: serving?.maxConnections ?? 2,
    statementTimeoutMs: 10_000,
    answerLimitMs: 12_000,
    sockets,
    onIdleError: (error) => log.warn({ reason: error.message }, "a database connection was lost"),
  })
}

function createReading({
  config: { serving, redisUrl },
  source,
  reader,
  sockets,
  log,
}: {
  config: Config
  source: string
  reader: pg.Pool
  sockets: Sockets
  log: Logger
}): { cache: ReadCache; positions: PositionSignal } | null {
  if (!serving) return null
  const connection = { url: serving.databaseUrl, applicationName: "lockstep-position", sockets }
  return {
    cache: createReadCache({ redisUrl, source, log }),
    positions: createPositionSignal({ source, listen: clientConfig(connection), pool: reader, log }),
  }
}
