// Builds the query service in the order of the flow and closes it in reverse. It starts without waiting for
// anything: until the first generation is loaded readiness is red and reads get 503.

import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import { pino } from "pino"
import { createDatabase, createPool } from "../db/connect.ts"
import type { QueryDatabase } from "../db/query-schema.ts"
import { createCacheFence } from "./cdc/cache-fence.ts"
import { createKafkaAccess } from "./cdc/kafka.ts"
import { projectorConnectionName } from "./cdc/lease.ts"
import { createProjector, type Projector } from "./cdc/projector.ts"
import { createCommittedLsnFetcher } from "./cdc/proof.ts"
import { createSchemaFetcher } from "./cdc/schema-registry.ts"
import { type Config, describeConfig } from "./config.ts"
import { orderProjections } from "./orders/projections.ts"

/** Resolves when the port is open. `stop` ends requests in flight, then the projector, and lets its lease go. */
export async function start(config: Config): Promise<{ url: string; stop: () => Promise<void> }> {
  const log = pino({ level: config.logLevel, base: { service: "query" } })
  const holder = randomUUID()
  const projectorPool = createPool({
    url: config.projectorDatabaseUrl,
    applicationName: projectorConnectionName(holder),
    maxConnections: 5,
    onIdleError: (error) => log.warn({ err: error }, "a database connection was lost"),
  })
  const kafka = createKafkaAccess({ brokers: config.kafkaBrokers, clientId: `lockstep-query-${holder}`, log })
  let projector: Projector | null = null
  const cacheFence = createCacheFence({
    redisUrl: config.redisUrl,
    source: config.sourceName,
    log,
    heldForMs: () => projector?.leaseLeftMs() ?? 0,
  })
  cacheFence.start()
  projector = createProjector({
    source: config.sourceName,
    holder,
    db: createDatabase<QueryDatabase>(projectorPool),
    pool: projectorPool,
    sourceUrl: config.sourceDatabaseUrl,
    topicPrefix: config.topicPrefix,
    projections: orderProjections,
    kafka,
    fetchSchema: createSchemaFetcher(config.schemaRegistryUrl),
    fetchCommittedLsn: createCommittedLsnFetcher(config.connectUrl, config.connectorName),
    cacheFence,
    maxPendingBytes: config.maxPendingBytes,
    log,
  })
  const started = projector
  const server = createServer((_, res) => {
    res.statusCode = 503
    res.end()
  })
  await new Promise<void>((r) => server.listen(config.port, config.host, r))
  const a = server.address()
  const url = `http://127.0.0.1:${typeof a === "object" ? a?.port : 0}`
  projector.start()
  log.info({ url, config: describeConfig(config) }, "answering queries")
  return {
    url,
    stop: async () => {
      server.close()
      await started.stop()
      await cacheFence.stop()
      await kafka.close()
      await projectorPool.end()
      log.info("stopped")
    },
  }
}
