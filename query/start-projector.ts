// One source's projector with all that belongs to it alone: its name as a holder and its connections, its Kafka client,
// its cache fence. Projectors of other sources in the same process share nothing with it, so a projector that halts or is
// slow leaves the other projectors as they are.
import { randomUUID } from "node:crypto"
import type { Logger } from "pino"
import { createDatabase, createPool } from "../db/connect.ts"
import { createSockets } from "../db/half-open.ts"
import type { QueryDatabase } from "../db/query-schema.ts"
import { createCommittedLsnFetcher } from "./cdc/assemble/committed-lsn.ts"
import { createCacheFence } from "./cdc/cache/fence.ts"
import { createSchemaFetcher, createSchemaRegistering } from "./cdc/decode/schema-registry.ts"
import { createKafkaAccess } from "./cdc/kafka/kafka.ts"
import { projectorConnectionName } from "./cdc/lease/lease.ts"
import type { Projections } from "./cdc/projection/projection.ts"
import { createProjector } from "./cdc/projector/projector.ts"
import { commitLogTopic } from "./cdc/vocabulary/topics.ts"
import type { ProjectingConfig } from "./config.ts"
import { createDependencyChecks } from "./http/dependency-checks.ts"
import type { Checks } from "./http/source-checks.ts"
import type { ProjectedSource } from "./source-settings.ts"

/** So long may work in flight take at a stop. A transaction that is cut off then rolls back and is applied again. */
const inFlightMs = 7_000
const goodbyeMs = 1_000

export type Projecting = {
  /** Name under which the projector takes the lease. */
  holder: string
  /** The state of the servers through which the projector follows its source. */
  readiness: () => Promise<Checks>
  start: () => void
  /** Resolves when the projector writes nothing more, the lease is let go and every connection is closed. */
  stop: () => Promise<void>
}

export function createProjecting(options: {
  config: ProjectingConfig
  source: ProjectedSource
  projections: Projections
  redisUrl: string
  onHalted: (isHalted: boolean) => void
  log: Logger
}): Projecting {
  const { config, source } = options
  const log = options.log.child({ source: source.name })
  const holder = randomUUID()
  const connection = {
    url: config.databaseUrl,
    applicationName: projectorConnectionName(holder),
    maxConnections: 3,
    keepIdle: true,
    onIdleError: (error: Error) => log.warn({ reason: error.message }, "a database connection was lost"),
  }
  const leaseSockets = createSockets()
  const leasePool = createPool({ ...connection, answerLimitMs: 10_000, sockets: leaseSockets })
  const workSockets = createSockets()
  const pool = createPool({ ...connection, sockets: workSockets })
  const kafka = createKafkaAccess({
    brokers: config.kafkaBrokers,
    clientId: `lockstep-query-${source.name}-${holder}`,
    log,
  })
  const cacheFence = createCacheFence({
    redisUrl: options.redisUrl,
    source: source.name,
    log,
    heldForMs: () => projector.leaseLeftMs(),
  })
  const projector = createProjector({
    source: source.name,
    holder,
    leaseMs: config.leaseMs,
    db: createDatabase<QueryDatabase>(leasePool),
    pool,
    work: createDatabase<QueryDatabase>(pool),
    breakConnections: () => workSockets.breakAll("the lease was lost"),
    sourceUrl: source.databaseUrl,
    topicPrefix: source.topicPrefix,
    projections: options.projections,
    kafka,
    fetchSchema: createSchemaFetcher(config.schemaRegistryUrl),
    registerSchema: createSchemaRegistering(config.schemaRegistryUrl),
    fetchCommittedLsn: createCommittedLsnFetcher(source.connectUrl, source.connectorName),
    cacheFence,
    maxPendingBytes: config.maxPendingBytes,
    deadLetterLimit: config.deadLetterLimit,
    onHalted: options.onHalted,
    log,
  })
  return {
    holder,
    readiness: createDependencyChecks({
      kafka,
      commitLogTopic: commitLogTopic(source.topicPrefix),
      registryUrl: config.schemaRegistryUrl,
      connectUrl: source.connectUrl,
      connectorName: source.connectorName,
    }),
    start() {
      cacheFence.start()
      projector.start()
    },
    async stop() {
      const breakAll = (): void => {
        leaseSockets.breakAll("the service stops")
        workSockets.breakAll("the service stops")
      }
      const limit = setTimeout(breakAll, inFlightMs)
      await projector.stop()
      clearTimeout(limit)
      await cacheFence.stop()
      // The stop does not wait for a server that leaves the goodbye unanswered.
      setTimeout(breakAll, goodbyeMs).unref()
      await Promise.all([kafka.close(), leasePool.end(), pool.end()])
    },
  }
}
