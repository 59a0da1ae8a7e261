// A projector in the test's own process, for projections other than those of the query service: what a deployment of
// another version does to a system. The system's query process must not hold the lease meanwhile.
import { randomUUID } from "node:crypto"
import { createDatabase, createPool } from "../../db/connect.ts"
import type { QueryDatabase } from "../../db/query-schema.ts"
import { createCacheFence } from "../../query/cdc/cache-fence.ts"
import { createKafkaAccess } from "../../query/cdc/kafka.ts"
import { projectorConnectionName } from "../../query/cdc/lease.ts"
import type { Projections } from "../../query/cdc/projection.ts"
import { createProjector } from "../../query/cdc/projector.ts"
import { createCommittedLsnFetcher } from "../../query/cdc/proof.ts"
import { createSchemaFetcher } from "../../query/cdc/schema-registry.ts"
import { loadConfig } from "../../query/config.ts"
import { quiet } from "./query-app.ts"
import type { System } from "./system.ts"

export type OtherProjector = { stop: () => Promise<void> }

/** Starts it; it waits for the lease as any instance does. */
export function startOtherProjector(system: System, projections: Projections): OtherProjector {
  const config = loadConfig({ ...system.queryEnvironment, QUERY_PORT: "0" })
  const holder = randomUUID()
  const pool = createPool({
    url: config.projectorDatabaseUrl,
    applicationName: projectorConnectionName(holder),
    maxConnections: 5,
  })
  const kafka = createKafkaAccess({ brokers: config.kafkaBrokers, clientId: `test-${holder}`, log: quiet })
  const cacheFence = createCacheFence({
    redisUrl: config.redisUrl,
    source: config.sourceName,
    log: quiet,
    heldForMs: () => projector.leaseLeftMs(),
  })
  const projector = createProjector({
    source: config.sourceName,
    holder,
    db: createDatabase<QueryDatabase>(pool),
    pool,
    sourceUrl: config.sourceDatabaseUrl,
    topicPrefix: config.topicPrefix,
    projections,
    kafka,
    fetchSchema: createSchemaFetcher(config.schemaRegistryUrl),
    fetchCommittedLsn: createCommittedLsnFetcher(config.connectUrl, config.connectorName),
    cacheFence,
    maxPendingBytes: config.maxPendingBytes,
    deadLetterLimit: config.deadLetterLimit,
    log: quiet,
  })
  cacheFence.start()
  projector.start()
  return {
    async stop() {
      await projector.stop()
      await cacheFence.stop()
      await kafka.close()
      await pool.end()
    },
  }
}
