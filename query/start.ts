// Builds the query service in the order of the flow and closes it in reverse. It starts without waiting for
// anything: until the first generation is loaded readiness is red and reads get 503.

import { randomUUID } from "node:crypto"
import { pino } from "pino"
import { clientConfig, createDatabase, createPool } from "../db/connect.ts"
import { createSockets } from "../db/half-open.ts"
import type { QueryDatabase } from "../db/query-schema.ts"
import { createCacheFence } from "./cdc/cache-fence.ts"
import { createKafkaAccess } from "./cdc/kafka.ts"
import { projectorConnectionName } from "./cdc/lease.ts"
import type { Projections } from "./cdc/projection.ts"
import { createProjector } from "./cdc/projector.ts"
import { createCommittedLsnFetcher } from "./cdc/proof.ts"
import { createSchemaFetcher } from "./cdc/schema-registry.ts"
import { type Config, describeConfig } from "./config.ts"
import { createDependencyChecks } from "./dependencies.ts"
import { createApp } from "./http/app.ts"
import { createReadCache } from "./http/cache.ts"
import { createPositionSignal } from "./http/position-signal.ts"
import { type HttpServer, listen } from "./http/server.ts"
import { orderProjections } from "./orders/projections.ts"

const stopTimeoutMs = 10_000
const goodbyeMs = 1_000

/** Resolves when the port is open. `stop` ends requests in flight, then the projector, and lets its lease go. */
export async function start(
  config: Config,
  projections: Projections = orderProjections,
): Promise<{ url: string; stop: () => Promise<void> }> {
  const log = pino({ level: config.logLevel, base: { service: "query" } })
  const holder = randomUUID()
  const onIdleError = (error: Error) => log.warn({ reason: error.message }, "a database connection was lost")
  const projectorConnection = {
    url: config.projectorDatabaseUrl,
    applicationName: projectorConnectionName(holder),
    keepIdle: true,
    onIdleError,
  }
  const sockets = createSockets()
  const leasePool = createPool({ ...projectorConnection, maxConnections: 3, answerLimitMs: 10_000, sockets })
  const workSockets = createSockets()
  const workPool = createPool({ ...projectorConnection, maxConnections: 3, sockets: workSockets })
  const kafka = createKafkaAccess({ brokers: config.kafkaBrokers, clientId: `lockstep-query-${holder}`, log })
  const cacheFence = createCacheFence({
    redisUrl: config.redisUrl,
    source: config.sourceName,
    log,
    heldForMs: () => projector.leaseLeftMs(),
  })
  const projector = createProjector({
    source: config.sourceName,
    holder,
    db: createDatabase<QueryDatabase>(leasePool),
    pool: workPool,
    breakConnections: () => workSockets.breakAll("the lease was lost"),
    sourceUrl: config.sourceDatabaseUrl,
    topicPrefix: config.topicPrefix,
    projections,
    kafka,
    fetchSchema: createSchemaFetcher(config.schemaRegistryUrl),
    fetchCommittedLsn: createCommittedLsnFetcher(config.connectUrl, config.connectorName),
    cacheFence,
    maxPendingBytes: config.maxPendingBytes,
    deadLetterLimit: config.deadLetterLimit,
    log,
  })
  const readerPool = createPool({
    url: config.readerDatabaseUrl,
    applicationName: "lockstep-reader",
    maxConnections: config.readerMaxConnections,
    statementTimeoutMs: 10_000,
    answerLimitMs: 12_000,
    sockets,
    onIdleError,
  })
  const positions = createPositionSignal({
    source: config.sourceName,
    listen: clientConfig({
      url: config.readerDatabaseUrl,
      applicationName: "lockstep-position",
      sockets,
    }),
    pool: readerPool,
    log,
  })
  const cache = createReadCache({ redisUrl: config.redisUrl, source: config.sourceName, log })
  let stopping = false
  const app = createApp({
    source: config.sourceName,
    reader: readerPool,
    cache,
    positions,
    log,
    readiness: createDependencyChecks({
      kafka,
      commitLogTopic: `${config.topicPrefix}.transaction`,
      registryUrl: config.schemaRegistryUrl,
      connectUrl: config.connectUrl,
      connectorName: config.connectorName,
    }),
    isStopping: () => stopping,
  })
  const close = async (): Promise<void> => {
    await projector.stop()
    await cacheFence.stop()
    cache.stop()
    // A goodbye that is not answered is not waited for.
    setTimeout(() => {
      sockets.breakAll("the service stops")
      workSockets.breakAll("the service stops")
    }, goodbyeMs).unref()
    await Promise.all([kafka.close(), leasePool.end(), workPool.end(), readerPool.end()])
  }
  let server: HttpServer
  try {
    server = await listen({ fetch: app.fetch, host: config.host, port: config.port })
  } catch (error) {
    await close()
    throw error
  }
  cacheFence.start()
  positions.start()
  cache.start()
  projector.start()
  log.info({ url: server.url, config: describeConfig(config) }, "answering queries")

  let stopped: Promise<void> | undefined
  return {
    url: server.url,
    stop: () => {
      stopping = true
      // Readers that wait for a position are answered first, so that the server need not wait for them.
      stopped ??= positions
        .stop()
        .then(() => server.stop(stopTimeoutMs))
        .then(close)
        .then(() => log.info("stopped"))
      return stopped
    },
  }
}
